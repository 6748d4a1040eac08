"""Splits: small logs by hand, and for any log the properties that make a split honest."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsys.config import SplitSection
from recsys.data.dataset import Dataset, Holdout, Split
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.data.leakage import leakage_check
from recsys.data.split import split
from recsys.errors import InputError

METHODS = ("time", "leave_last", "ratio")
Event = tuple[int, int, int]


def dataset(events: list[Event], weight: list[float] | None = None) -> Dataset:
    """Events are (user, item, time)."""
    user, item, time = zip(*events, strict=True)
    shape = {"n_users": max(user) + 1, "n_items": max(item) + 1}
    log = Interactions.build(user, item, time, weight, **shape)
    return Dataset(log, IdMap.of(range(log.n_users)), IdMap.of(range(log.n_items)))


def triples(events: Interactions) -> list[Event]:
    return list(zip(events.user.tolist(), events.item.tolist(), events.time.tolist(), strict=True))


def parts(made: Split) -> list[Interactions]:
    return [made.train, made.validation_events, made.test_events]


def test_a_sample_of_a_holdout_is_seeded_and_leaves_out_whoever_took_nothing():
    history = Interactions.build([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], None, n_users=4, n_items=5)
    truth = Interactions.build([0, 2, 3], [4, 4, 4], [9, 9, 9], None, n_users=4, n_items=5)
    holdout = Holdout(history, truth)
    assert rows(holdout.sample(3, seed=0)) == [([0], [4]), ([2], [4]), ([3], [4])]
    drawn = rows(holdout.sample(2, seed=0))
    assert len(drawn) == 2
    assert drawn == rows(holdout.sample(2, seed=0))
    assert ([1], []) not in drawn


def rows(holdout: Holdout) -> list[tuple[list[int], list[int]]]:
    """(history, truth) of each user of the holdout, as items."""
    return [
        (holdout.history.select([row]).item.tolist(), holdout.truth.select([row]).item.tolist())
        for row in range(len(holdout))
    ]


def test_leave_last_by_hand() -> None:
    # User 0 met items 3, 1, 2, 0; user 1 only two items; user 2 met 4, 5, 6.
    events = [(0, 3, 1), (0, 1, 2), (0, 2, 3), (0, 0, 4), (1, 0, 1), (1, 1, 9), (2, 4, 5), (2, 5, 6), (2, 6, 7)]
    made = split(dataset(events), SplitSection(method="leave_last"))
    assert triples(made.train) == [(0, 3, 1), (0, 1, 2), (1, 0, 1), (1, 1, 9), (2, 4, 5)]
    assert triples(made.validation_events) == [(0, 2, 3), (2, 5, 6)]
    assert triples(made.test_events) == [(0, 0, 4), (2, 6, 7)]
    assert rows(made.validation) == [([3, 1], [2]), ([4], [5])]
    assert rows(made.test) == [([3, 1, 2], [0]), ([4, 5], [6])]


def test_leave_last_breaks_equal_times_by_the_order_of_the_file() -> None:
    made = split(dataset([(0, 2, 5), (0, 0, 5), (0, 1, 5)]), SplitSection(method="leave_last"))
    assert [part.item.tolist() for part in parts(made)] == [[2], [0], [1]]


def test_time_by_hand() -> None:
    # Ten events at times 0 to 9: 6 train, 2 validate, 2 test. User 2 arrives in the test window: a cold user.
    users = [0, 0, 1, 1, 0, 1, 0, 1, 2, 0]
    events = [(user, time, time) for time, user in enumerate(users)]
    made = split(dataset(events), SplitSection(method="time", validation=0.2, test=0.2))
    assert [part.time.tolist() for part in parts(made)] == [[0, 1, 4, 2, 3, 5], [6, 7], [9, 8]]
    assert rows(made.validation) == [([0, 1, 4], [6]), ([2, 3, 5], [7])]
    assert rows(made.test) == [([0, 1, 4, 6], [9]), ([], [8])]


def test_time_never_tears_equal_times_apart() -> None:
    times = [0, 1, 2, 3, 4, 5, 8, 8, 8, 9]
    events = [(0, item, time) for item, time in enumerate(times)]
    made = split(dataset(events), SplitSection(method="time", validation=0.2, test=0.1))
    assert [part.time.tolist() for part in parts(made)] == [[0, 1, 2, 3, 4, 5], [8, 8, 8], [9]]


def test_ratio_by_hand() -> None:
    # Ten items: the last 2 test, the 3 before validate. Three items: one each. Two items: train only.
    events = [(0, item, item) for item in range(10)]
    events += [(1, item, item) for item in (7, 8, 9)] + [(2, 0, 1), (2, 1, 2)]
    made = split(dataset(events), SplitSection(method="ratio", validation=0.3, test=0.2))
    assert rows(made.validation) == [([0, 1, 2, 3, 4], [5, 6, 7]), ([7], [8])]
    assert rows(made.test) == [([0, 1, 2, 3, 4, 5, 6, 7], [8, 9]), ([7, 8], [9])]
    assert made.train.lengths.tolist() == [5, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_a_repeated_pair_stands_where_it_was_first_with_its_largest_weight_there(method: str) -> None:
    # Item 0 is met at 0, 1 and, heaviest, at 9. That last time is after the first cut: its weight must not leak.
    events = [(0, 0, 0), (0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 8), (0, 4, 9), (0, 0, 9)]
    weights = [1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 50.0]
    made = split(dataset(events, weights), SplitSection(method=method, validation=0.2, test=0.2))
    assert triples(made.train) == [(0, 0, 0), (0, 1, 2), (0, 2, 3)]
    assert made.train.weight.tolist() == [2, 1, 1]
    assert triples(made.validation_events) == [(0, 3, 8)]
    assert triples(made.test_events) == [(0, 4, 9)]
    # Refitting before serving may know the future: there is none to be judged on.
    assert made.data.interactions.weight.tolist() == [50, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("method", "events", "message"),
    [
        (
            "time",
            [(0, 0, 5), (0, 1, 5), (1, 0, 5)],
            "leaves train and validation empty: the log has 3 events at 1 ",
        ),
        ("time", [(0, 0, 1), (0, 1, 2), (0, 1, 3)], "leaves validation and test empty"),
        ("leave_last", [(0, 0, 1), (0, 1, 2), (1, 0, 1)], "no user has 3 or more different items"),
        ("ratio", [(0, 0, 1), (0, 1, 2), (1, 0, 1)], "leaves validation and test empty: no user has 3"),
    ],
)
def test_an_empty_part_is_an_error_that_says_what_to_change(method: str, events: list, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        split(dataset(events), SplitSection(method=method))
    assert "set split.method" in str(error.value)


ENOUGH = [(0, 0, 0), (0, 1, 10), (0, 2, 20)]
"""A user with three items at three times, without whom most logs could not be split."""
LOGS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 20)), max_size=57).map(
    lambda events: ENOUGH + events
)


def sections(*methods: str) -> st.SearchStrategy[SplitSection]:
    shares = {"validation": st.floats(0.05, 0.49), "test": st.floats(0.05, 0.49)}
    return st.builds(SplitSection, method=st.sampled_from(methods), **shares)


@given(events=LOGS, section=sections(*METHODS))
def test_any_split_is_a_partition_without_leaks(events: list[Event], section: SplitSection) -> None:
    data = dataset(events)
    try:
        made = split(data, section)
    except InputError:
        assume(False)
    train, validation, test = (set(zip(part.user, part.item, strict=True)) for part in parts(made))
    assert train | validation | test == {(user, item) for user, item, _ in events}
    assert len(train) + len(validation) + len(test) == len(made.data.interactions) == sum(map(len, parts(made)))

    earliest: dict[tuple[int, int], int] = {}
    for user, item, time in events:
        earliest[user, item] = min(time, earliest.get((user, item), time))
    for part in parts(made):
        assert all(earliest[user, item] == time for user, item, time in triples(part))

    for users in [range(data.interactions.n_users)] if section.method == "time" else [[u] for u in range(6)]:
        times = [part.time[np.isin(part.user, users)] for part in parts(made)]
        for before, after in ((0, 1), (1, 2), (0, 2)):
            assert times[before].max(initial=-1) <= times[after].min(initial=99)

    for holdout, known, new in ((made.validation, train, validation), (made.test, train | validation, test)):
        users = sorted({user for user, _ in new})
        assert len(holdout) == len(users) == holdout.truth.n_users
        for user, (history, truth) in zip(users, rows(holdout), strict=True):
            assert set(history) == {item for one, item in known if one == user}
            assert set(truth) == {item for one, item in new if one == user}
    assert leakage_check(made, section.method)["leakage_check"] == "passed"


@given(events=LOGS, section=sections("leave_last", "ratio"), later=st.integers(21, 30), data=st.data())
def test_what_happens_after_the_test_window_changes_no_part_before_it(
    events: list[Event], section: SplitSection, later: int, data: st.DataObject
) -> None:
    """A user meets a known item again, later and with more weight: train and validation stay what they were.

    Not under a split by time: there, more events move the cuts.
    """
    user, item, _ = data.draw(st.sampled_from(events))
    before = split(dataset(events), section)
    after = split(dataset([*events, (user, item, later)], [1.0] * len(events) + [9.0]), section)
    if before.test_events.lengths[user]:
        assert [triples(part) for part in parts(after)] == [triples(part) for part in parts(before)]
        assert after.train.weight.max() == after.validation_events.weight.max() == 1
