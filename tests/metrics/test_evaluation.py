"""evaluate on a catalogue small enough to work out by hand, and on a random one in blocks of any size."""

from math import log2

import numpy as np
import pytest

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.errors import InputError
from recsys.metrics.evaluation import evaluate, score_metric
from recsys.metrics.ranking import METRICS


class Constant:
    """The same scores for everybody."""

    name = "constant"

    def __init__(self, scores):
        self.scores = np.array(scores, np.float32)

    def score(self, history):
        return np.tile(self.scores, (history.n_users, 1))


class Neighbours:
    """Integer item-to-item weights, so that sums are exact in any block."""

    def __init__(self, n_items, seed=0):
        self.weights = np.random.default_rng(seed).integers(0, 4, (n_items, n_items)).astype(np.float32)

    def score(self, history):
        return history.matrix() @ self.weights


TRAIN = Interactions.of_histories([[0, 0, 0, 0, 1, 1, 2]], n_items=5)
HOLDOUT = Holdout(
    history=Interactions.of_histories([[0], [], [1], [0, 1, 2, 3]], n_items=5),
    truth=Interactions.of_histories([[1, 4], [2, 2], [], [4]], n_items=5),
)
# Scores 5 4 3 2 1, seen items removed, two places:   user 0: 1 2   user 1: 0 1   user 3: 4
MODEL = Constant([5, 4, 3, 2, 1])


def random_holdout(n_users=120, n_items=40, seed=0):
    generator = np.random.default_rng(seed)
    histories, truths = [], []
    for _ in range(n_users):
        items = generator.permutation(n_items)
        seen, known = generator.integers(0, 8), generator.integers(0, 4)
        histories.append(items[:seen].tolist())
        truths.append(items[seen : seen + known].tolist())
    return Holdout(Interactions.of_histories(histories, n_items), Interactions.of_histories(truths, n_items))


def test_hand_arithmetic():
    result = evaluate(MODEL, HOLDOUT, TRAIN, k=2)
    assert result.users.tolist() == [0, 1, 3]
    assert result.top.tolist() == [[1, 2, 3, 4], [0, 1, 2, 3], [4, -1, -1, -1]]
    assert result.lists.tolist() == [[1, 2], [0, 1], [4, -1]]
    expected = {
        "ndcg@2": [1 / (1 + 1 / log2(3)), 0, 1],
        "recall@2": [1 / 2, 0, 1],
        "precision@2": [1 / 2, 0, 1 / 2],
        "map@2": [(1 / 1) / 2, 0, 1],
        "mrr@2": [1, 0, 1],
        "hit_rate@2": [1, 0, 1],
        "ndcg@4": [(1 + 1 / log2(5)) / (1 + 1 / log2(3)), 1 / log2(4), 1],
        "recall@4": [1, 1, 1],
        # Smoothed events: 5 3 2 1 1 of 12.
        "novelty@2": [-(log2(3 / 12) + log2(2 / 12)) / 2, -(log2(5 / 12) + log2(3 / 12)) / 2, -log2(1 / 12)],
        # One user, so any two items that were chosen were chosen by the same users.
        "diversity@2": [0, 0, 0],
        # Popularity gives users 0 and 3 the same lists: nothing is a surprise.
        "serendipity@2": [0, 0, 0],
    }
    assert result.per_user.keys() == expected.keys()
    for name, values in expected.items():
        assert result.per_user[name] == pytest.approx(values, abs=1e-12), name
        assert result.aggregate[name] == pytest.approx(sum(values) / 3, abs=1e-12), name
    # Shown: item 0 once, 1 twice, 2 once, 4 once; 3 never.
    assert result.aggregate["coverage@2"] == 4 / 5
    # (2i − n − 1) · c for c = 0 1 1 1 2: −4·0 − 2·1 + 0·1 + 2·1 + 4·2, over n · Σc = 5 · 5.
    assert result.aggregate["gini@2"] == pytest.approx((0 - 2 + 0 + 2 + 8) / 25)


def test_a_surprise_is_a_hit_that_popularity_would_not_make():
    reverse = Constant([1, 2, 3, 4, 5])
    # Lists 4 3, 4 3 and 4: the hits are item 4 for users 0 and 3, but user 3 had only item 4 left.
    assert evaluate(reverse, HOLDOUT, TRAIN, k=2).per_user["serendipity@2"].tolist() == [1 / 2, 0, 0]


def test_default_metrics():
    names = set(evaluate(MODEL, HOLDOUT, TRAIN).aggregate)
    assert names == {f"{name}@10" for name in METRICS} | {"ndcg@20", "recall@20"} | {
        f"{name}@10" for name in ("novelty", "diversity", "serendipity", "coverage", "gini")
    }


@pytest.mark.parametrize("block_bytes", [1, 5_000])
def test_the_size_of_blocks_changes_nothing(block_bytes):
    holdout = random_holdout()
    model, train = Neighbours(40), holdout.history
    whole = evaluate(model, holdout, train)
    pieces = evaluate(model, holdout, train, block_bytes=block_bytes)
    np.testing.assert_array_equal(pieces.top, whole.top)
    for name, values in whole.per_user.items():
        np.testing.assert_allclose(pieces.per_user[name], values, rtol=1e-12, atol=1e-12)
    assert pieces.aggregate == pytest.approx(whole.aggregate)


def test_blocks_keep_to_the_budget_and_report_progress():
    holdout, told, sizes = random_holdout(), [], []

    class Watched(Neighbours):
        def score(self, history):
            sizes.append(history.n_users)
            return super().score(history)

    # Three matrices of 40 items × 4 bytes for 10 users.
    users = evaluate(
        Watched(40), holdout, holdout.history, block_bytes=3 * 4 * 40 * 10, progress=lambda *at: told.append(at)
    ).users
    assert max(sizes) == 10
    assert sum(sizes) == len(users)
    assert told[0] == (10, len(users))
    assert told[-1] == (len(users), len(users))


@pytest.mark.parametrize("metric", ["ndcg@10", "recall@20", "map@10"])
def test_score_metric_is_the_mean_of_evaluate(metric):
    holdout = random_holdout()
    model = Neighbours(40)
    expected = evaluate(model, holdout, holdout.history).aggregate[metric]
    assert score_metric(model, holdout, metric) == pytest.approx(expected)
    assert score_metric(model, holdout, metric, block_bytes=5_000) == pytest.approx(expected)


def test_item_features_decide_diversity():
    features = random_holdout(n_users=5).history.matrix().T.tocsr()
    holdout = random_holdout()
    by_features = evaluate(Neighbours(40), holdout, holdout.history, item_features=features)
    by_users = evaluate(Neighbours(40), holdout, holdout.history)
    assert by_features.aggregate["diversity@10"] != by_users.aggregate["diversity@10"]
    assert by_features.aggregate["ndcg@10"] == by_users.aggregate["ndcg@10"]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_name_the_model(wrong):
    message = "constant gave 3 scores that are not finite, of 15; every score must be finite"
    with pytest.raises(ValueError, match=message):
        evaluate(Constant([1, 2, wrong, 4, 5]), HOLDOUT, TRAIN)
    with pytest.raises(ValueError, match=message):
        score_metric(Constant([1, 2, wrong, 4, 5]), HOLDOUT, "ndcg@10")


def test_scores_of_another_shape_name_the_model():
    with pytest.raises(ValueError, match=r"constant scored \(3, 2\) for 3 users × 5 items"):
        evaluate(Constant([1, 2]), HOLDOUT, TRAIN)


def test_a_holdout_without_truth_cannot_be_judged():
    empty = Holdout(HOLDOUT.history, HOLDOUT.truth.where(np.zeros(5, bool)))
    with pytest.raises(ValueError, match="none of the 4 users of the holdout has anything in its truth"):
        evaluate(MODEL, empty, TRAIN)


def test_an_unknown_metric_is_the_users_error():
    with pytest.raises(InputError, match="unknown metric 'ndgc@10': did you mean 'ndcg'"):
        score_metric(MODEL, HOLDOUT, "ndgc@10")
