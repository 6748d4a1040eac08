"""Lists for all users: blocks of any size, seen items in or out, and the budget of memory."""

import numpy as np
import pytest

from recsys.data.interactions import Interactions
from recsys.metrics.recommend import blocks, recommend
from recsys.metrics.top_k import largest, top_k


class Planned:
    """Scores by what was last seen, so that a user's row tells who it is."""

    def score(self, history):
        last = history.sequences(1)
        return -np.abs(np.arange(history.n_items) - last).astype(np.float32)


HISTORY = Interactions.of_histories([[1], [3, 2], [0], []], n_items=5)


@pytest.mark.parametrize("block_bytes", [1, 2 * 4 * 5 * 3, 1 << 20])
def test_everybody_gets_the_best_unseen_items(block_bytes):
    items, scores = recommend(Planned(), HISTORY, 2, block_bytes=block_bytes)
    expected, of_expected = top_k(Planned().score(HISTORY), HISTORY, 2)
    np.testing.assert_array_equal(items, expected)
    np.testing.assert_array_equal(scores, of_expected)
    # Item 2 is nearest 1, then 0; user 1 has seen 3 and 2, and 1 is nearest; nobody's padding is 5, next to 4.
    assert [set(items[0]), items[1, 0], items[2].tolist(), items[3].tolist()] == [{0, 2}, 1, [1, 2], [4, 3]]


def test_seen_items_stay_when_asked_for():
    items, scores = recommend(Planned(), HISTORY, 1, exclude_seen=False)
    assert items[:, 0].tolist() == [1, 2, 0, 4]
    assert scores[:, 0].tolist() == [0, 0, 0, -1]


def test_nobody_is_no_list():
    items, scores = recommend(Planned(), HISTORY.select([]), 3)
    assert (items.shape, scores.shape) == ((0, 3), (0, 3))


def test_blocks_hold_everybody_once_within_the_budget():
    """Three matrices of 5 items × 4 bytes for 3 users are 180 bytes."""
    assert [users.tolist() for users in blocks(7, 5, 180)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [users.tolist() for users in blocks(2, 5, 1)] == [[0], [1]], "one user is always scored"


def test_scores_that_overflow_in_their_sum_are_finite():
    class Huge:
        def score(self, history):
            return np.full((history.n_users, history.n_items), 3e38, np.float32)

    assert (recommend(Huge(), HISTORY, 1)[1] == np.float32(3e38)).all()


@pytest.mark.parametrize("n_items", [1, 20, 99, 5000])
@pytest.mark.parametrize("count", [1, 20, 21])
def test_the_largest_of_any_number(n_items, count):
    scores = np.random.default_rng(0).integers(0, 4 * n_items, (7, n_items)).astype(np.float32)
    items, best = largest(scores, count)
    taken = min(count, n_items)
    np.testing.assert_array_equal(best[:, :taken], -np.sort(-scores, axis=1)[:, :taken])
    np.testing.assert_array_equal(np.take_along_axis(scores, items[:, :taken], 1), best[:, :taken])
    assert (best[:, taken:] == -np.inf).all()
    assert all(len(set(row)) == taken for row in items[:, :taken].tolist())
