"""The leakage check: each kind of leak, put into a good split on purpose, stops the run."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from recsys.config import SplitSection
from recsys.data.dataset import Dataset, Holdout, Split
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.data.leakage import LeakageError, leakage_check
from recsys.data.split import assemble, split


def good(method: str) -> Split:
    """Three users who each meet items 0 to 9, one a second."""
    user, item = np.repeat([0, 1, 2], 10), np.tile(np.arange(10), 3)
    log = Interactions.build(user, item, item, n_users=3, n_items=10)
    data = Dataset(log, IdMap.of(range(3)), IdMap.of(range(10)))
    return split(data, SplitSection(method=method, validation=0.2, test=0.2))


@pytest.mark.parametrize("method", ["time", "leave_last", "ratio"])
def test_a_good_split_passes_with_its_counts(method: str) -> None:
    said = leakage_check(good(method), method)
    each = 1 if method == "leave_last" else 2
    assert {key: said[key] for key in said if key != "digest"} == {
        "leakage_check": "passed",
        "method": method,
        "train": 30 - 6 * each,
        "validation": 3 * each,
        "test": 3 * each,
        "validation_users": 3,
        "test_users": 3,
    }
    assert said == leakage_check(good(method), method)


def test_the_digest_tells_splits_apart() -> None:
    assert leakage_check(good("time"), "time")["digest"] != leakage_check(good("leave_last"), "ratio")["digest"]


def pair_in_two_parts(made: Split) -> Split:
    return assemble(made.data, made.train, made.validation_events.union(made.train), made.test_events)


def pair_lost(made: Split) -> Split:
    train = made.train.where(made.train.item != 0)
    return assemble(made.data, train, made.validation_events, made.test_events)


def future_in_train(made: Split) -> Split:
    return assemble(made.data, made.test_events, made.validation_events, made.train)


def truth_in_history(made: Split) -> Split:
    history = made.test.history.union(made.test.truth)
    return replace(made, test=Holdout(history, made.test.truth))


def users_shifted(made: Split) -> Split:
    return replace(made, validation=made.validation.select([1, 2, 0]))


def weight_from_later(made: Split) -> Split:
    heavier = replace(made.validation.history, weight=made.validation.history.weight * 2)
    return replace(made, validation=Holdout(heavier, made.validation.truth))


@pytest.mark.parametrize("method", ["time", "ratio"])
@pytest.mark.parametrize(
    ("leak", "message"),
    [
        (pair_in_two_parts, r"18 \(user, item\) pairs stand in more than one part"),
        (pair_lost, "27 pairs that are not the 30 pairs of the log"),
        (
            future_in_train,
            "train reaches until 9, but validation begins at 6|6 events come before events of an ear",
        ),
        (truth_in_history, "the history of test is not what its 3 users did"),
        (users_shifted, "of validation is not what its 3 users did"),
        (weight_from_later, "the history of validation is not"),
    ],
)
def test_every_leak_is_found(method: str, leak: Callable[[Split], Split], message: str) -> None:
    made = good(method)
    if leak is users_shifted:
        # With equal histories a shift would be no leak: give one user another one.
        made = split(made.data.with_interactions(made.data.interactions.where(np.arange(30) != 3)), SECTION[method])
    with pytest.raises(LeakageError, match=message):
        leakage_check(leak(made), method)


SECTION = {method: SplitSection(method=method, validation=0.2, test=0.2) for method in ("time", "ratio")}
