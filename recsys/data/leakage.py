"""The proof that a split keeps the future out of the past; it stops the run when it does not."""

import hashlib
from itertools import pairwise
from typing import Any

import numpy as np

from recsys.data.dataset import Holdout, Split
from recsys.data.interactions import Interactions


class LeakageError(RuntimeError):
    """A split lets a model see what it is judged on: a fault of this program, not of the user's data."""


def leakage_check(split: Split, method: str) -> dict[str, Any]:
    """Check a split made with `method` (time, leave_last, ratio).

    Every pair of the log stands in exactly one part; nothing in a part happened before what the parts before it
    hold (over all users for time, within each user else); a holdout's history is what happened before, all of it,
    and its truth is what came next.

    Returns:
        `leakage_check` = "passed", the counts of each part, and a `digest` of all parts.

    Raises:
        LeakageError: what leaks, and how much of it.
    """
    parts = {"train": split.train, "validation": split.validation_events, "test": split.test_events}
    _check_partition(split.data.interactions, parts)
    if method == "time":
        _check_times(parts)
    else:
        _check_positions(split.data.interactions, parts)
    _check_holdout("validation", split.validation, split.train, split.validation_events)
    _check_holdout("test", split.test, split.train.union(split.validation_events), split.test_events)
    return {
        "leakage_check": "passed",
        "method": method,
        **{name: len(part) for name, part in parts.items()},
        "validation_users": len(split.validation),
        "test_users": len(split.test),
        "digest": _digest(parts),
    }


def _check_partition(log: Interactions, parts: dict[str, Interactions]) -> None:
    pairs = np.sort(np.concatenate([part.pairs for part in parts.values()]))
    repeated = int((np.diff(pairs) == 0).sum())
    if repeated:
        raise LeakageError(f"{repeated} (user, item) pairs stand in more than one part")
    if not np.array_equal(pairs, np.sort(log.pairs)):
        raise LeakageError(f"the parts hold {len(pairs)} pairs that are not the {len(log)} pairs of the log")


def _check_times(parts: dict[str, Interactions]) -> None:
    names = [name for name, part in parts.items() if len(part)]
    for before, after in pairwise(names):
        last, next_ = int(parts[before].time.max()), int(parts[after].time.min())
        if last > next_:
            raise LeakageError(f"{before} reaches until {last}, but {after} begins at {next_}")


def _check_positions(log: Interactions, parts: dict[str, Interactions]) -> None:
    """The log is sorted by user, then time: within a user, the number of the part must not fall."""
    pairs = log.pairs
    order = np.argsort(pairs)
    part_of = np.empty(len(log), dtype=np.int8)
    for number, part in enumerate(parts.values()):
        part_of[order[np.searchsorted(pairs[order], part.pairs)]] = number
    falls = (np.diff(part_of) < 0) & (np.diff(log.user) == 0)
    if falls.any():
        raise LeakageError(f"{int(falls.sum())} events come before events of an earlier part of the same user")


def _check_holdout(name: str, holdout: Holdout, known: Interactions, events: Interactions) -> None:
    users = np.flatnonzero(events.lengths)
    for what, seen, source in (("history", holdout.history, known), ("truth", holdout.truth, events)):
        if not _same(seen, source.select(users)):
            raise LeakageError(f"the {what} of {name} is not what its {len(users)} users did in the allowed parts")


def _same(one: Interactions, other: Interactions) -> bool:
    names = ("user", "item", "time", "weight")
    return one.n_users == other.n_users and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in names
    )


def _digest(parts: dict[str, Interactions]) -> str:
    digest = hashlib.sha256()
    for part in parts.values():
        for array in (part.user, part.item, part.time, part.weight):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
