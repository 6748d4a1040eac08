"""What the registry writes down: a verdict on both versions it speaks of, and the log of every change of champion.

MLflow keeps no history of aliases. The log is tags of the registered model, which outlive the versions they speak of
and lie with them, on whatever server the registry is. `move.000001` and so on hold JSON; a tag is written before the
alias moves and marked done after it, so that a killed move is known by what the alias says, and the next one takes its
place. Whoever writes holds the lock of the registry (`recsys.registry`).
"""

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from recsys.tracking import client

log = logging.getLogger("recsys.promote")

PREFIX: Final = "move."
LONGEST_WHY: Final = 2000
"""Characters; a tag of a registered model holds 5,000 with all the rest."""

Kind = Literal["gate", "forced", "rollback"]


@dataclass(frozen=True)
class Move:
    """The champion changed from one version to another."""

    time: str
    """ISO 8601, UTC."""
    kind: Kind
    """Who decided: the gate, or a person who forced a promotion or went back."""
    old: int | None
    """Version that was champion; none where there was none, or it had been deleted."""
    new: int
    why: str | None = None
    """What the person said."""
    done: bool = False
    """Whether the alias is known to have moved."""


def history(model: str, champion: int | None) -> list[Move]:
    """Moves of a model that took effect, oldest first.

    Args:
        model: name in the registry.
        champion: as it is now; tells whether a move that was killed took effect.
    """
    found = [move for _, move in _read(model)]
    return [move for move in found if move.done or (move == found[-1] and move.new == champion)]


def withdrawn(moves: Sequence[Move]) -> dict[int, Move]:
    """Versions that a person took off and nothing brought back since, with the move that did.

    Args:
        moves: oldest first.
    """
    replaced = dict.fromkeys(move.old for move in moves if move.old is not None)
    return {number: off for number in replaced if (off := taken_off(moves, [number]))}


def taken_off(moves: Sequence[Move], versions: Collection[int]) -> Move | None:
    """The move by which a person took a model off that is these versions; none where it was not, or came back since."""
    off = None
    for move in moves:
        if move.new in versions:
            off = None
        elif move.old in versions and move.kind != "gate":
            off = move
    return off


def unfinished(model: str, champion: int | None) -> Move | None:
    """The last move, where it was killed after the alias had moved; then `finish` ends it."""
    known = _read(model)
    last = known[-1][1] if known else None
    return last if last is not None and not last.done and last.new == champion else None


def finish(model: str) -> None:
    """Mark the last move done."""
    number, last = _read(model)[-1]
    _write(model, number, replace(last, done=True))


@contextmanager
def moving(model: str, kind: Kind, old: int | None, new: int, why: str | None = None) -> Iterator[Move]:
    """Record a move; the block moves the aliases. One that is `unfinished` was ended before.

    Args:
        model: name in the registry.
        kind: who decided.
        old: the champion as it is now.
        new: the champion as it will be.
        why: what a person said.
    """
    known = _read(model)
    number = known[-1][0] if known else 0
    if not known or known[-1][1].done:
        number += 1
    move = Move(now(), kind, old, new, why and why[:LONGEST_WHY])
    _write(model, number, move)
    yield move
    finish(model)


def verdict(
    model: str, number: int, tags: Mapping[str, Any], against: int | None, report: Mapping[str, Any] | None
) -> None:
    """Write a verdict on a challenger and on the champion it was judged against, in place of an earlier one.

    The challenger has tags `promotion.…` and the artifact `verdict.json` under its run; the champion the same as
    `judged.…` and `judged/verdict-vN.json`, N being the challenger.

    Args:
        model: name in the registry.
        number: of the challenger.
        tags: `promotion.…` -> text.
        against: number of the champion, which exists; none: there was none.
        report: plain values for the artifacts; none: no artifacts. A run that somebody deleted takes none.
    """
    whole = {"model": model, "version": number, "against": against, "time": now(), **(report or {})}
    sides = [(number, "promotion.", {**tags, "promotion.time": now()}, "verdict.json")]
    if against is not None:
        told = {f"judged.{name.removeprefix('promotion.')}": said for name, said in tags.items()}
        told |= {"judged.against": number, "judged.time": now()}
        sides.append((against, "judged.", told, f"judged/verdict-v{number}.json"))
    for one, prefix, said, file in sides:
        known = client().get_model_version(model, str(one))
        for name in known.tags.keys() - said.keys():
            # Who replaced whom is no part of the verdict.
            if name.startswith(prefix) and not name.startswith("promotion.replaced"):
                client().delete_model_version_tag(model, str(one), name)
        tag(model, one, said)
        if report is not None and known.run_id:
            _keep(known.run_id, whole, file)


def tag(model: str, number: int, tags: Mapping[str, Any]) -> None:
    """Write tags on a version."""
    for name, said in text(tags).items():
        client().set_model_version_tag(model, str(number), name, said)


def text(tags: Mapping[str, Any]) -> dict[str, str]:
    """Tags as MLflow takes them."""
    return {name: "none" if value is None else str(value) for name, value in tags.items()}


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _keep(run_id: str, whole: Mapping[str, Any], file: str) -> None:
    """Keep a verdict under a run; where somebody deleted that, the tags have to do."""
    from mlflow.exceptions import MlflowException

    try:
        client().log_dict(run_id, dict(whole), file)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        log.warning("run %s is gone, and %s with it; the same is said by tags of the version", run_id, file)


def _read(model: str) -> list[tuple[int, Move]]:
    tags = client().get_registered_model(model).tags
    numbered = sorted((int(name.removeprefix(PREFIX)), text) for name, text in tags.items() if name.startswith(PREFIX))
    return [(number, Move(**json.loads(text))) for number, text in numbered]


def _write(model: str, number: int, move: Move) -> None:
    told = json.dumps(asdict(move), ensure_ascii=False)  # a letter takes the place of one
    client().set_registered_model_tag(model, f"{PREFIX}{number:06d}", told)
