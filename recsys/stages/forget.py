"""Forgetting a user: out of the feedback store and of all that was made of it; versions that learnt from them are told.

It may be killed and done again: the user is put on the store's list of the forgotten first, in one transaction with
the deletion of their events. From then on nothing of theirs comes in, and no training learns from them, not even from
a log that still has them. Everything after that can be repeated.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

from recsys import retention, stale, tracking
from recsys.data import parts
from recsys.data.atomic import new_file
from recsys.data.catalogue import IDS, holds_user
from recsys.data.schema import USER
from recsys.errors import InputError
from recsys.feedback.store import open_store, store_if_there
from recsys.registry import Version
from recsys.stages.batch import FOLDER as RECOMMENDATIONS

COMPUTED: Final = ("work", "backtest")
"""What stages keep of a log. The list of the forgotten goes into the name of all of it: none would be used again."""
PARTED: Final = (parts.FOLDER, RECOMMENDATIONS)
"""Folders of tables by name of a configuration or of a model, each with the lock of whoever writes there."""
REASON: Final = "it learnt from a user who was forgotten"


@dataclass(frozen=True)
class Gone:
    """What was held about a user, and is not any more."""

    events: int
    """Of the feedback store."""
    quarantined: int
    """Lines in its quarantine."""
    ingested: int
    """Events that had come into training logs, or had been rejected there."""
    recommendations: int
    """Rows of batches."""
    computed: int
    """Folders of results that were computed from a log."""
    stale: tuple[Version, ...]
    """Versions that hold the user still."""
    deleted: tuple[Version, ...]
    """Versions that held the user, and were deleted."""


def forget(store: str | Path, user_id: str, *, delete_versions: bool = False) -> Gone:
    """Forget a user.

    Args:
        store: folder of everything the pipeline writes.
        user_id: as text.
        delete_versions: delete versions that hold the user, all but the champion and the previous one.

    Raises:
        InputError: nothing is known about such a user, or the feedback store is in use by others all the time.
    """
    store = Path(store).absolute()
    with _locked(store):
        if not _is_known(store, user_id):
            raise InputError(
                f"nobody in {store} is called {user_id!r}: no event, no model and no recommendation is of such a user. "
                "Ids are compared as text, upper and lower case are different"
            )
        with open_store(store) as feedback:
            erased = feedback.forget(user_id)
        ingested, recommendations = (
            sum(_take_out(path, user_id) for path in _tables(store / folder)) for folder in PARTED
        )
    computed = _clear(store)
    kept: list[Version] = []
    deleted: list[Version] = []
    for version in _versions_of(store, user_id):
        stale.mark(version, REASON)
        went = delete_versions and retention.delete(version)
        (deleted if went else kept).append(version)
    return Gone(erased.events, erased.quarantined, ingested, recommendations, computed, tuple(kept), tuple(deleted))


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Nobody writes the tables of users; what a killed writer left of them is gone."""
    with ExitStack() as held:
        for folder in (one for parted in PARTED for one in sorted((store / parted).glob("*/"))):
            held.enter_context(FileLock(folder / parts.LOCK))
            for draft in folder.rglob(".*.draft"):
                draft.unlink()
        yield


def _is_known(store: Path, user_id: str) -> bool:
    """Whether anything tells of a user, were it only that a forgetting of them was begun."""
    with store_if_there(store) as feedback:
        if feedback is not None and feedback.holds(user_id):
            return True
    work, *_ = COMPUTED
    return (
        any(_rows_of(path, user_id) for folder in (*PARTED, work) for path in _tables(store / folder))
        or any(holds_user(ids.parent, user_id) for ids in (store / work).rglob(IDS))
        or bool(_versions_of(store, user_id))
    )


def _tables(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def _is_of(table: pa.Table, user_id: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(pc.cast(table.column(USER), pa.string()), user_id), False)


def _rows_of(path: Path, user_id: str) -> int:
    if USER not in pq.read_schema(path).names:
        return 0
    return pc.sum(_is_of(pq.read_table(path, columns=[USER]), user_id)).as_py() or 0


def _take_out(path: Path, user_id: str) -> int:
    """Write a table anew without a user; gives the rows that were theirs."""
    rows = _rows_of(path, user_id)
    if rows:
        table = pq.read_table(path)
        with new_file(path) as draft:
            pq.write_table(table.filter(pc.invert(_is_of(table, user_id))), draft)
    return rows


def _clear(store: Path) -> int:
    """Remove everything computed; a folder is renamed first, so that no half of one is ever taken for a whole."""
    removed = 0
    for name in COMPUTED:
        folder, trash = store / name, store / f".{name}.trash"
        if trash.exists():
            shutil.rmtree(trash)
        if folder.is_dir():
            removed += sum(1 for result in folder.glob("[!.]*/[!.]*") if result.is_dir())
            os.replace(folder, trash)
            shutil.rmtree(trash)
    return removed


def _versions_of(store: Path, user_id: str) -> list[Version]:
    if not tracking.is_there(store):
        return []
    tracking.open_store(store)
    return stale.holding(user_id)
