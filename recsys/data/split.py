"""Divide a log into train, validation and test: by time, by a user's last events, by share of a user's events.

A pair (user, item) stands in one part only, that of its first event; what a user did with the item in a later part
is no news and left out. Its weight is the largest of its events inside its part.
"""

from dataclasses import replace

import numpy as np

from recsys.config import SplitSection
from recsys.data.dataset import Dataset, Holdout, Split
from recsys.data.interactions import Interactions
from recsys.data.schema import BoolArray, FloatArray, IntArray
from recsys.errors import InputError

TRAIN, VALIDATION, TEST = 0, 1, 2
FEWEST_ITEMS = 3
"""Users with fewer distinct items train only (leave_last, ratio)."""


def split(data: Dataset, config: SplitSection) -> Split:
    """Divide a log, in which users may meet an item more than once.

    time: events in the last `test` share of all events test, the `validation` share before them validates; equal
    times are never torn apart. leave_last: a user's last new item tests, the one before validates. ratio: the last
    `test` share of each user's items tests, rounded down but at least one, the share before validates likewise.

    Raises:
        InputError: a part would be empty.
    """
    log = data.interactions
    first, group = _first_events(log)
    part = _by_time(log.time, config) if config.method == "time" else _by_position(log, first, config)
    inside = part == part[first][group]
    merged = _merged(log, first, group)
    within = replace(merged, weight=_largest(np.where(inside, log.weight, 0), group))
    part = part[first]
    _check_filled(part, config, log)
    parts = [within.where(part == number) for number in (TRAIN, VALIDATION, TEST)]
    return assemble(data.with_interactions(merged), *parts)


def distinct(log: Interactions) -> Interactions:
    """Every pair (user, item) once, at its first event, with the largest weight of all of them."""
    return _merged(log, *_first_events(log))


def assemble(data: Dataset, train: Interactions, validation: Interactions, test: Interactions) -> Split:
    """Put the holdouts of a split together: a row for every user with events in the part, in ascending order."""
    known = train.union(validation)
    return Split(data, train, validation, test, _holdout(train, validation), _holdout(known, test))


def _holdout(history: Interactions, truth: Interactions) -> Holdout:
    users = np.flatnonzero(truth.lengths)
    return Holdout(history.select(users), truth.select(users))


def _merged(log: Interactions, first: BoolArray, group: IntArray) -> Interactions:
    return replace(log.where(first), weight=_largest(log.weight, group))


def _first_events(log: Interactions) -> tuple[BoolArray, IntArray]:
    """Which events are a user's first with the item [N] bool, and the number of the pair of each event [N] int64.

    Pairs are numbered in the order of their first events.
    """
    pair = log.pairs
    order = np.argsort(pair, kind="stable")  # stable: the earliest event of a pair comes first
    starts = np.diff(pair[order], prepend=-1) > 0
    first = np.zeros(len(log), dtype=bool)
    first[order[starts]] = True
    number = np.cumsum(first) - 1
    group = np.empty(len(log), dtype=np.int64)
    group[order] = number[order[starts]][np.cumsum(starts) - 1]
    return first, group


def _largest(weight: FloatArray, group: IntArray) -> FloatArray:
    """[pairs] float32: the largest weight of each group."""
    largest = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.float32)
    np.maximum.at(largest, group, weight)
    return largest


def _by_time(time: IntArray, config: SplitSection) -> IntArray:
    """Part of each event [N]: two cuts for all users."""
    n = len(time)
    begin_test = min(round(n * (1 - config.test)), n - 1)
    begin_validation = min(round(n * (1 - config.test - config.validation)), n - 1)
    ordered = np.partition(time, [begin_validation, begin_test])
    return np.searchsorted(ordered[[begin_validation, begin_test]], time, side="right")


def _by_position(log: Interactions, first: BoolArray, config: SplitSection) -> IntArray:
    """Part of each event [N]: by how many items the user had met until then."""
    items = np.bincount(log.user[first], minlength=log.n_users)
    met = np.cumsum(first) - (np.cumsum(items) - items)[log.user]
    if config.method == "leave_last":
        n_test = n_validation = np.ones_like(items)
    else:
        n_test = np.maximum(1, (items * config.test).astype(np.int64))
        n_validation = np.maximum(1, (items * config.validation).astype(np.int64))
    left = items[log.user] - met  # items still to be met: 0 from the last new item on
    part = (left < n_test[log.user]).astype(np.int64) + (left < (n_test + n_validation)[log.user])
    part[items[log.user] < FEWEST_ITEMS] = TRAIN
    return part


def _check_filled(part: IntArray, config: SplitSection, log: Interactions) -> None:
    counts = np.bincount(part, minlength=3)
    if counts.all():
        return
    names = ("train", "validation", "test")
    empty = " and ".join(name for name, count in zip(names, counts, strict=True) if not count)
    distinct = len(np.unique(log.time))
    advice = (
        f"the log has {len(log)} events at {distinct} different times; raise split.validation and split.test "
        f'(now {config.validation} and {config.test}), bring more events, or set split.method = "leave_last"'
        if config.method == "time"
        else f"no user has {FEWEST_ITEMS} or more different items; bring more events, lower data.k_core, "
        'or set split.method = "time"'
    )
    raise InputError(f"split.method = {config.method!r} leaves {empty} empty: {advice}")
