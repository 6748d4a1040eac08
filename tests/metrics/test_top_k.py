"""top_k against a full sort, at the end of lists, and where every score is the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.interactions import Interactions
from recsys.metrics.ranking import ndcg, relevance
from recsys.metrics.top_k import fingerprint, tie_hash, top_k


def by_full_sort(scores, history, k, seed):
    """The definition: of each user, drop what was seen, sort all the rest by score, then by hash."""
    users = fingerprint(history, len(scores))
    lists = []
    for row, values in enumerate(scores):
        seen = set(history.item[history.user == row].tolist())
        keys = tie_hash(np.arange(len(values)), users[row : row + 1], seed)
        order = sorted(set(range(len(values))) - seen, key=lambda item: (-values[item], keys[item]))[:k]
        lists.append(order + [-1] * (k - len(order)))
    return np.array(lists)


@st.composite
def scored_histories(draw):
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))  # few levels: ties everywhere
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = generator.integers(0, levels, (n_users, n_items)).astype(np.float32)
    history = [generator.integers(0, n_items, generator.integers(0, n_items + 2)).tolist() for _ in range(n_users)]
    return scores, Interactions.of_histories(history, n_items)


@given(scored_histories(), st.integers(1, 15), st.integers(0, 3))
def test_equals_a_full_sort(case, k, seed):
    scores, history = case
    items, best = top_k(scores, history, k, seed=seed)
    np.testing.assert_array_equal(items, by_full_sort(scores, history, k, seed))
    for row in range(len(items)):
        expected = [scores[row, item] if item >= 0 else -np.inf for item in items[row]]
        np.testing.assert_array_equal(best[row], expected)


@given(scored_histories(), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_list_does_not_depend_on_the_batch(case, k, seed):
    scores, history = case
    order = np.random.default_rng(seed).permutation(len(scores))
    items, _ = top_k(scores, history, k)
    alone, _ = top_k(scores[order], history.select(order), k)
    np.testing.assert_array_equal(alone, items[order])


@given(scored_histories(), st.integers(1, 5))
def test_a_shorter_list_is_the_start_of_a_longer_one(case, k):
    scores, history = case
    np.testing.assert_array_equal(top_k(scores, history, k)[0], top_k(scores, history, k + 3)[0][:, :k])


def test_short_lists_end_in_minus_one():
    scores = np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5]], np.float32)
    items, best = top_k(scores, Interactions.of_histories([[1], [0, 1, 2]], 3), k=4)
    assert items.tolist() == [[2, 0, -1, -1], [-1, -1, -1, -1]]
    assert best.tolist() == [[0.5, np.float32(0.1), -np.inf, -np.inf], [-np.inf] * 4]
    assert (items.dtype, best.dtype) == (np.int32, np.float32)


def test_scores_of_the_caller_stay_and_may_be_read_only():
    scores = np.broadcast_to(np.array([3, 2, 1], np.float32), (2, 3))
    items, _ = top_k(scores, Interactions.of_histories([[0], []], 3), k=1)
    assert items.tolist() == [[1], [0]]
    assert scores.tolist() == [[3, 2, 1], [3, 2, 1]]


def test_without_a_history_nothing_is_left_out():
    assert top_k(np.array([[1, 3, 2]], np.float32), None, k=2)[0].tolist() == [[1, 2]]


def test_another_seed_breaks_ties_another_way():
    scores = np.zeros((1, 1000), np.float32)
    first, again, other = (top_k(scores, None, k=10, seed=seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_constant_scorer_is_as_good_as_chance():
    n_users, n_items, k = 20_000, 50, 10
    generator = np.random.default_rng(0)
    histories = generator.integers(0, n_items - 1, (n_users, 4))
    # Everybody's truth is the last item: an order shared by all users would score far above or below chance.
    truth = Interactions.of_histories([[n_items - 1]] * n_users, n_items)
    history = Interactions.of_histories(histories.tolist(), n_items)
    items, _ = top_k(np.zeros((n_users, n_items), np.float32), history, k)
    unseen = n_items - np.array([len(set(row)) for row in histories.tolist()])
    # The one relevant item is at each rank of the unseen items with the same probability.
    chance = np.mean((1 / np.log2(np.arange(2, k + 2))).sum() / unseen)
    values = ndcg(*relevance(items, truth))
    assert abs(values.mean() - chance) < 4 * values.std() / np.sqrt(n_users)


def test_every_item_wins_ties_equally_often():
    n_users, n_items = 20_000, 20
    histories = np.random.default_rng(0).integers(0, 2000, (n_users, 3)) + n_items
    history = Interactions.of_histories(histories.tolist(), n_items + 2000)
    scores = np.zeros((n_users, n_items + 2000), np.float32)
    scores[:, :n_items] = 1
    items, _ = top_k(scores, history, 1)
    wins = np.bincount(items[:, 0], minlength=n_items)
    # Binomial with mean 1,000 and standard deviation 31.
    assert np.abs(wins - n_users / n_items).max() < 4 * np.sqrt(n_users / n_items)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(wrong):
    scores = np.array([[0, 1, wrong, 2]], np.float32)
    with pytest.raises(ValueError, match=r"scores hold NaN or \+inf; a score must be finite"):
        top_k(scores, None, k=1)


def test_minus_infinity_is_never_recommended():
    assert top_k(np.array([[-np.inf, 1, 2]], np.float32), None, k=3)[0].tolist() == [[2, 1, -1]]


def test_wrong_calls_say_what_was_seen():
    scores = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="k must be at least 1; seen 0"):
        top_k(scores, None, k=0)
    with pytest.raises(ValueError, match=r"scores \(2, 3\) for a history of 1 × 3"):
        top_k(scores, Interactions.of_histories([[0]], 3), k=1)
