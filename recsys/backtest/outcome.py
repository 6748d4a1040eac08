"""What a period of a replay came to, on disk: a period with an outcome is done, whatever is killed after it."""

from pathlib import Path

import numpy as np

from recsys.backtest.setting import Setting
from recsys.config import Section
from recsys.data.atomic import new_file, new_folder
from recsys.metrics.ranking import PerUser
from recsys.retraining import Decision

POLICIES = ("frozen", "overwrite", "loop")
RESULT, DECIDED, WORTH = "result.json", "decided.json", "worth.npz"


class Decided(Section):
    """What was decided before anything moved, so that a period that was killed in between goes on from there."""

    champion: int
    """Version that answered in the period."""
    decision: Decision


class Outcome(Section):
    """A period that is done; number 0 is the training of the first model."""

    number: int
    begin: int
    end: int
    """Seconds of the log; events at `end` belong to the next period."""
    served: dict[str, str]
    """policy -> which model answered the visits, in words; empty where there were none."""
    decision: Decision
    verdict: tuple[str, ...]
    """Reasons of the gate; empty where nothing was judged."""
    champion: int
    """Version that answers from now on."""
    promoted: bool
    """Whether it is a new one."""
    champion_since: int
    """Seconds of the log."""
    overwrite: str
    """Folder of the bundle that overwrite serves from now on; empty: the champion's."""
    train_seconds: float
    """Of the challenger: overwrite trains one every period, the loop where it decided to."""
    seconds: float
    """Of the whole period, for all policies."""


def folder_of(setting: Setting, number: int) -> Path:
    """Where a period is kept."""
    return setting.folder / f"period-{number:03d}"


def outcome_of(setting: Setting, number: int) -> Outcome | None:
    """The outcome of a period that is done."""
    path = folder_of(setting, number) / RESULT
    return Outcome.model_validate_json(path.read_bytes()) if path.is_file() else None


def keep(setting: Setting, outcome: Outcome, users: list[str], ndcg: dict[str, PerUser]) -> None:
    """Write an outcome, with the ndcg@10 of every visit by policy and whose visit it was."""
    with new_folder(folder_of(setting, outcome.number)) as draft:
        np.savez(draft / WORTH, allow_pickle=False, users=np.array(users, dtype=np.str_), **ndcg)
        (draft / RESULT).write_text(outcome.model_dump_json(indent=1), encoding="utf-8")


def worth_of(setting: Setting, number: int) -> dict[str, np.ndarray]:
    """`users` [V] text, and for every policy ndcg@10 [V]."""
    with np.load(folder_of(setting, number) / WORTH, allow_pickle=False) as arrays:
        return dict(arrays)


def decided_before(setting: Setting, number: int) -> Decided | None:
    """What a period that was killed had decided."""
    path = _decided(setting, number)
    return Decided.model_validate_json(path.read_bytes()) if path.is_file() else None


def keep_decided(setting: Setting, number: int, decided: Decided) -> None:
    """Note what was decided, before anything moves."""
    with new_file(_decided(setting, number)) as draft:
        draft.write_text(decided.model_dump_json(indent=1), encoding="utf-8")


def _decided(setting: Setting, number: int) -> Path:
    return setting.folder / f"period-{number:03d}-{DECIDED}"
