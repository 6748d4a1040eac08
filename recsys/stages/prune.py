"""Pruning: what a store keeps of earlier work beyond the rules of `[retention]`; told first, removed when asked to.

What refers goes before what it refers to: a batch before the version that answered, a version before its run. Each item
is whole or gone, so that a prune that was killed leaves a store in which everything works, and the next one goes on.
What is needed again later is computed again. Not looked at, because it always stays: feedback, the training log and
rejected events, fetched data, the last reports.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import time
from types import MappingProxyType
from typing import Final

from filelock import FileLock

from recsys import registry, retention
from recsys.config import Config
from recsys.data import parts
from recsys.data.atomic import companion_of, companions, last_used, remove_folder, size_mib
from recsys.data.contract import DAY
from recsys.registry import Version
from recsys.stages import batch
from recsys.stages.turn import turn
from recsys.stages.validate import NOTES
from recsys.stages.workspace import work

log = logging.getLogger("recsys.prune")

BATCH, REPLAY, RESULT = "batch", "replay", "result"
VERSION, UNREGISTERED = "version", "bundle without a version"
RUN: Final = {retention.PIPELINE: "pipeline run", retention.MONITOR: "monitor run"}
"""Kind of a run by its role."""


@dataclass(frozen=True)
class Item:
    """Something that takes room, and whether it stays."""

    kind: str
    """A key of `rules`."""
    name: str
    """As a person finds it: a folder of the store, a version, a run."""
    mib: float
    """Size of its files, MiB."""
    stays: str | None
    """Why; none where it goes."""
    remove: Callable[[], bool]
    """Removes it, unless it has come into use since; says whether it did."""


def rules(config: Config) -> dict[str, str]:
    """For each kind, in the order in which they are removed, what of it stays.

    What asks nothing of a database comes first: a disk that is full has room again before one writes its journal.
    """
    limits = config.retention
    recent = f"made or used in the last {limits.days:g} days"
    return {
        BATCH: f"{recent}; the champion's latest",
        REPLAY: recent,
        RESULT: f"{recent}; the data accepted last",
        VERSION: f"the newest {limits.versions}; with an alias; taken off by a person; copied",
        UNREGISTERED: f"made in the last {limits.days:g} days",
        RUN[retention.PIPELINE]: f"the newest {limits.runs}; those of versions that stay",
        RUN[retention.MONITOR]: f"the newest {limits.runs}",
    }


def survey(config: Config) -> list[Item]:
    """Everything that there are rules for, in their order; touches nothing. The tracking store is open.

    Raises:
        InputError: the registry is not the one that the store's bundles were registered in.
    """
    known = registry.versions()
    versions = [one for one in known if one.model == config.model_name]
    staying = _staying(config, versions)
    return [
        *_batches(config),
        *_folders(REPLAY, Path(config.store) / "backtest", config),
        *_results(config),
        *(
            Item(VERSION, str(one), retention.mib_of(one), staying.get(one.number), partial(retention.delete, one))
            for one in versions
        ),
        *(
            Item(UNREGISTERED, one.id, one.mib, _in_use(one.made, config), one.delete)
            for one in retention.unregistered(config.name, config.model_name)
        ),
        *_runs(config, {one.run_id: one for one in known if one.model != config.model_name or one.number in staying}),
    ]


def prune(config: Config) -> list[Item]:
    """Remove what does not stay; waits for a training of this configuration to end. Gives what was removed."""
    gone = []
    with turn(config):
        for item in survey(config):
            if item.stays is None and item.remove():
                log.info("prune: %s %s is gone, %.1f MiB", item.kind, item.name, item.mib)
                gone.append(item)
    return gone


def _batches(config: Config) -> Iterator[Item]:
    for top in sorted((Path(config.store) / batch.FOLDER).glob("*/")):
        told = top / batch.LATEST
        needed = {}
        if told.is_file():
            needed[json.loads(told.read_text(encoding="utf-8"))["folder"]] = "the champion's latest"
        yield from _folders(BATCH, top, config, needed, top / parts.LOCK)


def _results(config: Config) -> Iterator[Item]:
    notes = work(config, NOTES, config.name).parent
    accepted = {note.read_text(encoding="utf-8"): f"the data accepted last as {note.name}" for note in notes.glob("*")}
    for top in sorted(notes.parent.glob("*/")):
        yield from _folders(RESULT, top, config, accepted)


def _folders(
    kind: str,
    top: Path,
    config: Config,
    needed: Mapping[str, str] = MappingProxyType({}),
    writers: Path | None = None,
) -> Iterator[Item]:
    """Folders in `top`, each with what killed writers left of it.

    Args:
        kind: of the items.
        top: folder; need not be there.
        config: says how long they stay.
        needed: those that stay in any case, with the reason.
        writers: the lock of whoever writes there, beside those of `new_folder`.
    """
    for folder in sorted({companion_of(path) for path in top.glob("*/")}):
        stays = needed.get(folder.name) or _in_use(last_used(folder), config)
        mib = sum(map(size_mib, (folder, *companions(folder))))
        remove = partial(_remove, folder, _unused_since(config), writers)
        yield Item(kind, str(folder.relative_to(config.store)), mib, stays, remove)


def _remove(folder: Path, unused_since: float, writers: Path | None) -> bool:
    with nullcontext() if writers is None else FileLock(writers):
        return remove_folder(folder, unused_since)


def _in_use(moment: float, config: Config) -> str | None:
    return "in use" if moment > _unused_since(config) else None


def _unused_since(config: Config) -> float:
    return time() - config.retention.days * DAY


def _staying(config: Config, versions: list[Version]) -> dict[int, str]:
    """Numbers of versions that stay, with the reason."""
    newest = versions[len(versions) - min(config.retention.versions, len(versions)) :]
    taken_off = registry.withdrawn(config.model_name)
    return {
        **{one.number: "among the newest" for one in newest},
        **{one.number: "has an alias" for one in versions if one.aliases},
        # Without the version, nothing would tell a rerun that a person took the very same model off.
        **dict.fromkeys(taken_off, "a person took it off"),
        **{number: f"copied to {model}" for number, model in retention.copied(versions).items()},
    }


def _runs(config: Config, needed: Mapping[str | None, Version]) -> Iterator[Item]:
    found = retention.families(config.name)
    for role, kind in RUN.items():
        for place, family in enumerate(one for one in found if one.role == role):
            stays = "among the newest" if place < config.retention.runs else None
            if family.id in needed:
                stays = f"made {needed[family.id].model} {needed[family.id].number}"
            when = f"{family.started:%Y-%m-%d %H:%M} UTC"
            name = f"{family.id}: {family.name}, {when}, {len(family.members)} runs in all"
            yield Item(kind, name, family.mib, stays, family.delete)
