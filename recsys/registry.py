"""The registry: the door to MLflow's versions of a model, and the only place where an alias moves.

Aliases: `champion` answers, `previous` is what it replaced, `challenger` is the latest that was registered and not
promoted. MLflow has no compare-and-swap and no history of aliases: they move under a lock of the store, and every
move is told by tags on both versions and by the log of `recsys.records`. `recsys.tracking.open_store` comes first.
"""

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from recsys import records
from recsys.data.atomic import room
from recsys.errors import DiskFullError, InputError, did_you_mean
from recsys.packing import pack, unpacked
from recsys.tracking import artifacts_at, client, counted, fetched, lock, patiently

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
LOGGED: Final = "recsys"
"""Name of what MLflow calls a logged model: the artifacts behind a version."""
ABOUT: Final = """\
What the pipeline recommends with. A version is a hybrid of candidates that were tuned, weighted and judged on the same
data; it holds the log it learnt from, takes raw ids and gives raw ids, and answers strangers too.

- `champion` answers; `previous` is what it replaced, and `recsys rollback` brings it back
- `challenger` is the latest that was judged and not promoted

Each version says what it is worth and what the gate decided, its tags `promotion.…` with every number.
Ask it: `recsys recommend --model models:/NAME@champion --user ID`
"""
"""Description of a registered model, where a person has not written another."""


class ChampionChangedError(RuntimeError):
    """Somebody else moved the champion while this challenger was judged against the old one."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model."""

    model: str
    number: int
    aliases: tuple[str, ...]
    tags: dict[str, str]
    run_id: str | None
    created: datetime

    @property
    def uri(self) -> str:
        """As MLflow and the command line take it."""
        return f"models:/{self.model}/{self.number}"

    def __str__(self) -> str:
        return f"{self.model} {self.number}" + (f" ({', '.join(self.aliases)})" if self.aliases else "")


def register(bundle: Path, model: str, run_id: str, tags: Mapping[str, Any] | None = None) -> int:
    """Make a bundle a version of a model, with alias `challenger`; gives the version's number.

    The version carries the package `recsys` and needs nothing from the machine it was made on but the packages in
    its requirements.

    Args:
        bundle: folder that `recsys.serving.bundle.write_bundle` wrote.
        model: name in the registry; made when it is not there.
        run_id: run that made it.
        tags: name -> text.
    """
    from mlflow.exceptions import MlflowException

    with counted(), room(bundle.parent), tempfile.TemporaryDirectory(dir=bundle.parent) as draft:
        pack(bundle, Path(draft) / "model")
        mlflow = client()
        logged = mlflow.create_logged_model(mlflow.get_run(run_id).info.experiment_id, LOGGED, run_id)
        try:
            with room(Path(logged.artifact_location)):
                mlflow.log_model_artifacts(logged.model_id, str(Path(draft) / "model"))
        except DiskFullError:
            # It has room again for what is smaller.
            artifacts_at(logged.artifact_location).delete_artifacts()
            mlflow.delete_logged_model(logged.model_id)
            raise
        mlflow.finalize_logged_model(logged.model_id, "READY")
        with lock("registry"):
            try:
                mlflow.create_registered_model(model, description=ABOUT.replace("NAME", model))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise InputError(f"no model can be called {model!r}: {error}") from error
            made = mlflow.create_model_version(
                model, f"models:/{logged.model_id}", run_id, tags=records.text(tags or {}), model_id=logged.model_id
            )
            mlflow.set_registered_model_alias(model, CHALLENGER, made.version)
        return int(made.version)


def describe(model: str, number: int, text: str) -> None:
    """Say on a version's page, in Markdown, what it is and what it was worth."""
    with counted():
        client().update_model_version(model, str(number), text)


def versions(model: str | None = None) -> list[Version]:
    """All versions of a model, or of all models, oldest first."""
    with counted():
        mlflow = client()
        aliases: dict[tuple[str, int], list[str]] = {}
        for registered in _all(mlflow.search_registered_models):
            for alias, number in registered.aliases.items():
                aliases.setdefault((registered.name, int(number)), []).append(alias)
        wanted = None if model is None else f"name = {model!r}"  # MLflow reads Python's quotes
        found = [
            Version(
                model=one.name,
                number=int(one.version),
                aliases=tuple(sorted(aliases.get((one.name, int(one.version)), []))),
                tags=dict(one.tags),
                run_id=one.run_id,
                created=datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
            )
            for one in _all(mlflow.search_model_versions, filter_string=wanted)
        ]
    return sorted(found, key=lambda one: (one.model, one.number))


def champion(model: str) -> int | None:
    """Number of the champion; none where there is none."""
    return _alias(model, CHAMPION)


def find(model: str, number: int | None) -> Version | None:
    """A version of a model by its number; none where there is none."""
    return next((one for one in versions(model) if one.number == number), None)


def download(version: Version) -> Path:
    """Folder of a version's bundle on this machine, for as long as this process lives where the store is elsewhere."""
    with counted():
        place = client().get_model_version_download_uri(version.model, str(version.number))
        return unpacked(patiently(lambda: fetched(place)))


def history(model: str) -> list[records.Move]:
    """Every move of the alias `champion`, oldest first; none for a model that is not there."""
    with counted():
        return records.history(model, champion(model)) if versions(model) else []


def withdrawn(model: str) -> dict[int, records.Move]:
    """Versions that a person replaced and nothing brought back since, with the move that took each of them off."""
    return records.withdrawn(history(model))


def taken_off(model: str, versions: Collection[int]) -> records.Move | None:
    """The move by which a person took off what these versions are, all of them the same; none where nobody did."""
    return records.taken_off(history(model), versions)


def promote(
    model: str,
    number: int,
    tags: Mapping[str, Any],
    *,
    against: int | None,
    report: Mapping[str, Any] | None = None,
    why: str | None = None,
) -> int | None:
    """Make a version the champion, and the champion the previous one; doing it twice is doing it once.

    Args:
        model: name in the registry.
        number: of the version.
        tags: what the gate found, `Verdict.tags()`.
        against: the champion it was judged against; none: there was none.
        report: the whole verdict, `Verdict.to_dict()`.
        why: reason of a person, where it was no gate that decided.

    Returns:
        Number of the version replaced; none where there was none.

    Raises:
        ChampionChangedError: the champion is not `against` any more; judge again.
    """
    with counted(), lock("registry"):
        complete(model)
        replaced = champion(model)
        if replaced == number:
            return _alias(model, PREVIOUS)
        if replaced != against:
            raise ChampionChangedError(
                f"version {number} of {model} was judged against {_called(against)}, but the champion is now "
                f"{_called(replaced)}: judge again"
            )
        if not why:
            _tell(model, number, tags, against, report)
        forced = {"promotion.forced": "true", "promotion.why": why, "promotion.time": records.now()}
        with records.moving(model, "forced" if why else "gate", replaced, number, why):
            records.tag(model, number, {**(forced if why else {}), "promotion.replaced": replaced})
            if replaced is not None:
                records.tag(model, replaced, {"promotion.replaced_by": number, "promotion.replaced_at": records.now()})
            _move(model, replaced, number)
        return replaced


def keep(
    model: str,
    number: int,
    tags: Mapping[str, Any],
    *,
    against: int | None = None,
    report: Mapping[str, Any] | None = None,
) -> None:
    """Write on a version, and on the champion it was judged against, why it was refused; the champion stays.

    Arguments are those of `promote`.
    """
    with counted(), lock("registry"):
        _tell(model, number, tags, against, report)


def rollback(model: str, why: str | None = None) -> tuple[int | None, int]:
    """Swap champion and previous.

    Args:
        model: name in the registry.
        why: what the person says who does it.

    Returns:
        Number of the version that was champion (none where it had been deleted), and of the one that is now.

    Raises:
        InputError: there is no previous version.
    """
    with counted(), lock("registry"):
        names = sorted({one.model for one in versions()})
        if model not in names:
            raise InputError(f"no model is called {model!r}: {did_you_mean(model, names)}")
        cut = complete(model)
        if cut and cut.kind == "rollback":
            # Going on, not going back once more.
            return cut.old, cut.new
        old, new = champion(model), _alias(model, PREVIOUS)
        if new is None or new == old:
            listed = ", ".join(map(str, versions(model)))
            raise InputError(f"{model} has no previous champion to go back to; versions: {listed or 'none'}")
        note = {"rollback.time": records.now(), "rollback.from": old, "rollback.to": new, "rollback.why": why}
        with records.moving(model, "rollback", old, new, why):
            records.tag(model, new, note)
            if old is not None:
                records.tag(model, old, note)
            _move(model, old, new)
        return old, new


def complete(model: str) -> records.Move | None:
    """End a move that was killed between its aliases; gives it. The caller holds the lock of the registry."""
    cut = records.unfinished(model, champion(model))
    if cut:
        _move(model, cut.old, cut.new)
        records.finish(model)
    return cut


def _all(search: Callable[..., Any], **how: Any) -> Iterator[Any]:
    """All pages of a search."""
    token = None
    while True:
        page = search(**how, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _alias(model: str, alias: str) -> int | None:
    found = [one for one in versions(model) if alias in one.aliases]
    return found[0].number if found else None


def _move(model: str, old: int | None, new: int) -> None:
    # The champion first: what it was is in the log, where `complete` finds it after a kill; what was previous is not.
    client().set_registered_model_alias(model, CHAMPION, new)
    if find(model, old):
        client().set_registered_model_alias(model, PREVIOUS, old)
    elif _alias(model, PREVIOUS) == new:
        client().delete_registered_model_alias(model, PREVIOUS)
    if _alias(model, CHALLENGER) == new:
        client().delete_registered_model_alias(model, CHALLENGER)


def _tell(
    model: str, number: int, tags: Mapping[str, Any], against: int | None, report: Mapping[str, Any] | None
) -> None:
    there = any(one.number == against for one in versions(model))
    records.verdict(model, number, tags, against if there else None, report)


def _called(number: int | None) -> str:
    return "no champion" if number is None else f"version {number}"
