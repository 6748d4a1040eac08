"""Segments of users and items by hand."""

from math import log2

import numpy as np
import pytest

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.metrics.evaluation import evaluate
from recsys.metrics.segments import head_items, segments, user_segments


class Descending:
    """Item 0 first, item 1 second, and so on."""

    def score(self, history):
        return np.tile(-np.arange(history.n_items, dtype=np.float32), (history.n_users, 1))


# Events of items 0 to 5: 6, 2, 1, 1, 0, 0; 80% of 10 are items 0 and 1.
TRAIN = Interactions.of_histories([[0] * 6 + [1] * 2 + [2, 3]], n_items=6)
HOLDOUT = Holdout(
    history=Interactions.of_histories([[], [5], [1, 1, 1, 1], [0, 1, 2, 3, 4], [5]], n_items=6),
    truth=Interactions.of_histories([[0, 3], [1], [2], [5], []], n_items=6),
)
# Two places, seen items removed:   cold: 0 1   warm: 0 1 and 0 2   hot: 5   the last is not judged


def test_user_segments():
    assert user_segments(HOLDOUT.history).tolist() == [0, 1, 1, 2, 1]


def test_head_items():
    assert head_items(TRAIN).tolist() == [True, True, False, False, False, False]
    assert not head_items(TRAIN.where(np.zeros(10, bool))).any()


def test_every_segment_by_hand():
    found = segments(evaluate(Descending(), HOLDOUT, TRAIN, k=2), HOLDOUT, TRAIN)
    assert list(found) == ["cold", "warm", "hot", "head", "tail"]
    assert {name: segment["users"] for name, segment in found.items()} == {
        "cold": 1, "warm": 2, "hot": 1, "head": 2, "tail": 3,
    }  # fmt: skip
    ideal = 1 + 1 / log2(3)
    assert found["cold"]["ndcg@2"] == pytest.approx(1 / ideal)
    assert found["cold"]["recall@2"] == 1 / 2
    assert found["warm"]["ndcg@2"] == pytest.approx((1 / log2(3) + 1 / log2(3)) / 2)
    assert found["hot"]["ndcg@2"] == 1
    # Head truth: item 0 of the cold user, at the first place; item 1 of a warm one, at the second.
    assert found["head"] == pytest.approx({"users": 2, "ndcg@2": (1 + 1 / log2(3)) / 2})
    # Tail truth: item 3 of the cold user, missed; 2 of a warm one, at the second place; 5 of the hot one, first.
    assert found["tail"] == pytest.approx({"users": 3, "ndcg@2": (0 + 1 / log2(3) + 1) / 3})


def test_a_segment_without_users_has_no_means():
    holdout = HOLDOUT.select([1, 2])
    found = segments(evaluate(Descending(), holdout, TRAIN), holdout, TRAIN)
    assert found["cold"] == found["hot"] == {"users": 0}
