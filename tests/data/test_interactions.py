"""Interactions by hand: order, age, recency, matrix, sequences, select, where, union."""

import numpy as np
import pytest
from scipy import sparse

from recsys.data.interactions import Interactions


@pytest.fixture
def log() -> Interactions:
    """User 0: items 2, 0, 3 at times 5, 10, 20; user 1: nothing; user 2: item 1 at time 7."""
    return Interactions.build(
        user=[0, 2, 0, 0],
        item=[0, 1, 3, 2],
        time=[10, 7, 20, 5],
        weight=[1.0, 2.0, 4.0, 8.0],
        n_users=3,
        n_items=4,
        features=sparse.csr_matrix(np.eye(3, dtype=np.float32)),
    )


def test_sorted_by_user_then_time(log: Interactions) -> None:
    assert log.user.tolist() == [0, 0, 0, 2]
    assert log.item.tolist() == [2, 0, 3, 1]
    assert log.weight.tolist() == [8, 1, 4, 2]
    assert [array.dtype.name for array in (log.user, log.item, log.time, log.weight)] == [
        *("int32", "int32", "int64", "float32")
    ]


def test_equal_times_keep_the_order_given() -> None:
    tied = Interactions.build([0, 0, 0], [2, 1, 0], [9, 9, 9], n_users=1, n_items=3)
    assert tied.item.tolist() == [2, 1, 0]


def test_lengths_and_age(log: Interactions) -> None:
    assert log.lengths.tolist() == [3, 0, 1]
    assert log.indptr.tolist() == [0, 3, 3, 4]
    assert log.age.tolist() == [2, 1, 0, 0]


def test_a_pair_has_one_number_however_many_there_are() -> None:
    far = Interactions.build([0, 69_999, 69_999, 1], [1, 2, 69_999, 0], n_users=70_000, n_items=70_000)
    assert far.pairs.tolist() == [1, 70_000, 69_999 * 70_000 + 2, 70_000**2 - 1]


def test_recency_halves_with_every_half_life(log: Interactions) -> None:
    assert log.recency(1.0).tolist() == [8 / 4, 1 / 2, 4, 2]
    assert log.recency(2.0).tolist() == pytest.approx([8 / 2, 1 / 2**0.5, 4, 2])
    assert log.recency(0.0).tolist() == [8, 1, 4, 2]


def test_freshness_is_of_the_span_of_all_times():
    """Seconds 0, 50 and 100: ages 1, a half and 0 of the span."""
    log = Interactions.build([0, 0, 1], [0, 1, 2], [0, 100, 50], [3, 3, 3], n_users=2, n_items=3)
    assert log.freshness(0.5).tolist() == [3 / 4, 3, 3 / 2]
    assert log.freshness(0.0).tolist() == [3, 3, 3]


def test_freshness_leaves_no_event_without_weight():
    log = Interactions.build([0, 0], [0, 1], [0, 10], n_users=1, n_items=2)
    assert 0 < log.freshness(1e-9)[0] < 1e-15


@pytest.mark.parametrize(
    ("times", "dated"),
    [([0, 1, 2, 0, 1, 0], False), ([5, 6, 7, 5, 6, 8], False), ([5, 6, 7, 5, 6, 8, 9], True), ([4, 5, 6], True)],
    ids=["places", "places but for one", "half begin together", "one user"],
)
def test_times_that_are_places_in_a_history_say_nothing_of_age(times, dated):
    """Users 0, 1, 2 and, where there is a seventh event, 3."""
    user = [0, 0, 0, 1, 1, 2, 3][: len(times)]
    log = Interactions.build(user, [0] * len(times), times, n_users=5, n_items=1)
    assert log.is_dated == dated
    assert (log.freshness(0.5).min() < 1) == dated


@pytest.mark.parametrize("times", [[], [7], [7, 7]], ids=["none", "one", "alike"])
def test_freshness_without_a_span(times):
    log = Interactions.build(np.zeros(len(times)), np.zeros(len(times)), times, n_users=1, n_items=1)
    assert log.freshness(0.5).tolist() == [1] * len(times)


def test_matrix_adds_repeated_pairs() -> None:
    twice = Interactions.build([0, 0, 1], [1, 1, 0], weight=[1, 2, 5], n_users=2, n_items=2)
    assert twice.matrix().toarray().tolist() == [[0, 3], [5, 0]]
    assert twice.weight.tolist() == [1, 2, 5]


def test_sequences_end_with_the_last_item_and_are_padded_in_front(log: Interactions) -> None:
    assert log.sequences(2).tolist() == [[0, 3], [4, 4], [4, 1]]
    assert log.sequences(5).tolist() == [[4, 4, 2, 0, 3], [4, 4, 4, 4, 4], [4, 4, 4, 4, 1]]


def test_select_keeps_the_order_asked_for_and_allows_a_user_twice(log: Interactions) -> None:
    chosen = log.select([2, 0, 2, 1])
    assert chosen.n_users == 4
    assert chosen.user.tolist() == [0, 1, 1, 1, 2]
    assert chosen.item.tolist() == [1, 2, 0, 3, 1]
    assert chosen.time.tolist() == [7, 5, 10, 20, 7]
    assert chosen.features is not None
    assert chosen.features.toarray().argmax(axis=1).tolist() == [2, 0, 2, 1]


def test_where_keeps_users_without_events(log: Interactions) -> None:
    heavy = log.where(log.weight > 3)
    assert heavy.item.tolist() == [2, 3]
    assert heavy.lengths.tolist() == [2, 0, 0]


def test_union_is_sorted_again(log: Interactions) -> None:
    more = Interactions.build([1, 0], [0, 1], [1, 7], n_users=3, n_items=4)
    both = log.union(more)
    assert both.user.tolist() == [0, 0, 0, 0, 1, 2]
    assert both.item.tolist() == [2, 1, 0, 3, 0, 1]
    assert both.features is log.features


def test_union_of_different_catalogues_is_refused(log: Interactions) -> None:
    with pytest.raises(ValueError, match="shapes differ: 3 × 4 and 3 × 5"):
        log.union(Interactions.build([], [], n_users=3, n_items=5))


def test_histories_are_lists_of_items() -> None:
    batch = Interactions.of_histories([[3, 1], [], [2]], n_items=4)
    assert batch.sequences(2).tolist() == [[3, 1], [4, 4], [4, 2]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": [0], "item": [4]}, r"item rows must be in \[0, 4\); seen 4 to 4"),
        ({"user": [-1], "item": [0]}, r"user rows must be in \[0, 3\); seen -1 to -1"),
        ({"user": [0, 1], "item": [0]}, "arrays differ in length"),
        ({"user": [0], "item": [0], "features": sparse.csr_matrix((2, 1))}, "features have 2 rows for 3 users"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Interactions.build(**given, n_users=3, n_items=4)
