"""Ranking metrics against hand arithmetic, a plain-Python reference, scikit-learn and ir_measures."""

from math import log2

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from recsys.data.interactions import Interactions
from recsys.errors import InputError
from recsys.metrics.ranking import METRICS, parse, relevance

# One user: 3 relevant items, k = 4, hits at the first and the third place.
BY_HAND = {
    "ndcg": (1 / log2(2) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3) + 1 / log2(4)),
    "recall": 2 / 3,
    "precision": 2 / 4,
    "map": (1 / 1 + 2 / 3) / 3,
    "mrr": 1 / 1,
    "hit_rate": 1,
}
# One user: 9 relevant items, k = 2, a hit at the second place: ideal and average are over 2, recall over 9.
MORE_RELEVANT_THAN_PLACES = {
    "ndcg": (1 / log2(3)) / (1 / log2(2) + 1 / log2(3)),
    "recall": 1 / 9,
    "precision": 1 / 2,
    "map": (1 / 2) / 2,
    "mrr": 1 / 2,
    "hit_rate": 1,
}


@pytest.mark.parametrize("name", METRICS)
def test_hand_arithmetic(name):
    assert METRICS[name](np.array([[1, 0, 1, 0]], bool), np.array([3])) == pytest.approx([BY_HAND[name]])
    assert METRICS[name](np.array([[0, 1]], bool), np.array([9])) == pytest.approx([MORE_RELEVANT_THAN_PLACES[name]])


@pytest.mark.parametrize("name", METRICS)
def test_no_recommendation_counts_zero(name):
    assert METRICS[name](np.zeros((1, 5), bool), np.array([2])).tolist() == [0.0]


def reference(name, hits, n_relevant):
    """One user, one loop, no array."""
    k, found, gain, precisions, first = len(hits), 0, 0.0, 0.0, 0.0
    for rank, hit in enumerate(hits, start=1):
        if hit:
            found += 1
            gain += 1 / log2(rank + 1)
            precisions += found / rank
            first = first or 1 / rank
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(n_relevant, k) + 1))
    return {
        "ndcg": gain / ideal,
        "recall": found / n_relevant,
        "precision": found / k,
        "map": precisions / min(n_relevant, k),
        "mrr": first,
        "hit_rate": float(found > 0),
    }[name]


@st.composite
def judged(draw):
    n_users, k = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    hits = np.array(draw(st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=n_users, max_size=n_users)))
    missed = np.array(draw(st.lists(st.integers(0, 20), min_size=n_users, max_size=n_users)))
    return hits, np.maximum(hits.sum(axis=1) + missed, 1)


@pytest.mark.parametrize("name", METRICS)
@given(judged())
def test_equals_the_slow_reference_and_lies_between_0_and_1(name, case):
    hits, n_relevant = case
    values = METRICS[name](hits, n_relevant)
    expected = [reference(name, *user) for user in zip(hits.tolist(), n_relevant.tolist(), strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert values.dtype == np.float64
    assert (values >= 0).all()
    assert (values <= 1).all()


@pytest.mark.parametrize("name", METRICS)
@given(judged(), st.integers(0, 2**32 - 1))
def test_users_do_not_touch_each_other(name, case, seed):
    hits, n_relevant = case
    order = np.random.default_rng(seed).permutation(len(hits))
    np.testing.assert_array_equal(METRICS[name](hits[order], n_relevant[order]), METRICS[name](hits, n_relevant)[order])


@pytest.mark.parametrize("name", METRICS)
@given(judged(), st.data())
def test_moving_a_hit_up_never_hurts(name, case, data):
    hits, n_relevant = case
    lower = data.draw(st.integers(0, hits.shape[1] - 1))
    upper = data.draw(st.integers(0, lower))
    better = hits.copy()
    swap = hits[:, lower] & ~hits[:, upper]
    better[swap, upper], better[swap, lower] = True, False
    assert (METRICS[name](better, n_relevant) >= METRICS[name](hits, n_relevant) - 1e-12).all()


@pytest.mark.parametrize("name", ["ndcg", "map", "mrr", "hit_rate"])
@pytest.mark.parametrize("n_relevant", [1, 3, 10, 50])
def test_a_perfect_list_scores_one(name, n_relevant):
    hits = np.arange(10)[None, :] < n_relevant
    assert METRICS[name](hits, np.array([n_relevant])) == pytest.approx([1.0])


def random_ranking(n_users=40, n_items=30, seed=0):
    """Distinct scores, and a truth of 1 to 15 items a user."""
    generator = np.random.default_rng(seed)
    scores = generator.permuted(np.tile(np.arange(n_items, dtype=float), (n_users, 1)), axis=1)
    relevant = generator.permuted(np.arange(n_items) < generator.integers(1, 16, (n_users, 1)), axis=1)
    user, item = np.nonzero(relevant)
    truth = Interactions.build(user, item, n_users=n_users, n_items=n_items)
    return scores, relevant, truth, np.argsort(-scores, axis=1).astype(np.int32)


@pytest.mark.parametrize("k", [1, 5, 10, 30])
def test_ndcg_equals_scikit_learn(k):
    scores, relevant, truth, ranked = random_ranking()
    expected = [ndcg_score(relevant[[row]], scores[[row]], k=k) for row in range(len(scores))]
    np.testing.assert_allclose(METRICS["ndcg"](*relevance(ranked[:, :k], truth)), expected, rtol=1e-12)


@pytest.mark.parametrize("k", [5, 10])
def test_all_metrics_equal_ir_measures(k):
    scores, relevant, truth, ranked = random_ranking(seed=1)
    qrels = {str(u): {str(i): 1 for i in np.flatnonzero(row)} for u, row in enumerate(relevant)}
    run = {str(u): {str(i): float(row[i]) for i in range(len(row))} for u, row in enumerate(scores)}
    oracle = {
        "ndcg": ir_measures.nDCG @ k,
        "recall": ir_measures.R @ k,
        "precision": ir_measures.P @ k,
        "map": ir_measures.AP @ k,
        "mrr": ir_measures.RR @ k,
        "hit_rate": ir_measures.Success @ k,
    }
    told = {(str(m.measure), int(m.query_id)): m.value for m in ir_measures.iter_calc(oracle.values(), qrels, run)}
    hits, n_relevant = relevance(ranked[:, :k], truth)
    for name, metric in METRICS.items():
        values = metric(hits, n_relevant)
        if name == "map":  # trec_eval divides by all relevant items, we by those that fit
            values = values * np.minimum(n_relevant, k) / n_relevant
        np.testing.assert_allclose(values, [told[str(oracle[name]), u] for u in range(len(values))], atol=1e-9)


def test_relevance_counts_a_repeated_item_once_and_an_empty_place_never():
    truth = Interactions.of_histories([[3, 3, 0], [1]], n_items=4)
    # User 1's empty place must not be taken for the last item of user 0.
    hits, n_relevant = relevance(np.array([[3, 1], [-1, 2]], np.int32), truth)
    assert hits.tolist() == [[True, False], [False, False]]
    assert n_relevant.tolist() == [2, 1]


def test_a_user_who_cannot_be_judged_is_an_error():
    for metric in METRICS.values():
        with pytest.raises(ValueError, match="a user has no relevant item, or fewer than hits"):
            metric(np.zeros((1, 3), bool), np.array([0]))
        with pytest.raises(ValueError, match=r"seen hits.shape=\(2, 3\), relevant.shape=\(1,\)"):
            metric(np.zeros((2, 3), bool), np.array([1]))


def test_names_are_parsed():
    assert parse("ndcg@10") == (METRICS["ndcg"], 10)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "unknown metric 'ndgc@10': did you mean 'ndcg'?"),
        ("ndcg", "metric 'ndcg': expected ndcg@k with k at least 1, such as ndcg@10"),
        ("recall@0", "metric 'recall@0': expected recall@k with k at least 1, such as recall@10"),
        ("map@ten", "metric 'map@ten': expected map@k"),
    ],
)
def test_wrong_names_say_what_is_allowed(name, message):
    with pytest.raises(InputError) as error:
        parse(name)
    assert message in str(error.value)
