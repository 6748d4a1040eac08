"""Coverage, exposure, novelty, diversity and serendipity against hand arithmetic and plain loops."""

from itertools import combinations
from math import log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recsys.data.interactions import Interactions
from recsys.metrics import beyond_accuracy as beyond
from recsys.metrics.top_k import top_k

LISTS = np.array([[0, 1], [0, -1], [-1, -1]], np.int32)
"""A full list, a short one, and none."""

seeds = st.integers(0, 2**32 - 1)


def random_lists(seed, n_users=6, n_items=12, k=4):
    generator = np.random.default_rng(seed)
    top = generator.permuted(np.tile(np.arange(n_items, dtype=np.int32), (n_users, 1)), axis=1)[:, :k]
    lengths = generator.integers(0, k + 1, n_users)
    return np.where(np.arange(k) < lengths[:, None], top, -1).astype(np.int32)


def test_exposure_and_coverage():
    assert beyond.exposure(LISTS, n_items=4).tolist() == [2, 1, 0, 0]
    assert beyond.coverage(np.array([2, 1, 0, 0])) == 2 / 4


def test_gini_by_hand():
    # Of the four ordered pairs two differ by 2; the mean is 2.
    assert beyond.gini(np.array([1, 3])) == pytest.approx((2 + 2) / 4 / (2 * 2))
    assert beyond.gini(np.array([5, 5, 5])) == 0.0
    assert beyond.gini(np.array([0, 0])) == 0.0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(counts):
    value = beyond.gini(np.array(counts))
    differences = [abs(a - b) for a in counts for b in counts]
    expected = sum(differences) / len(counts) ** 2 / (2 * np.mean(counts)) if sum(counts) else 0.0
    assert value == pytest.approx(expected, abs=1e-12)
    assert beyond.gini(np.array(counts[::-1])) == value


def test_novelty_by_hand():
    # (6 + 1) / 10 of the smoothed events are of item 0, (1 + 1) / 10 of item 1, (0 + 1) / 10 of item 2.
    popularity = np.array([6, 1, 0])
    expected = [(-log2(7 / 10) - log2(2 / 10)) / 2, -log2(7 / 10), 0.0]
    assert beyond.novelty(LISTS, popularity) == pytest.approx(expected)
    assert beyond.novelty(np.array([[2]]), popularity) == pytest.approx([-log2(1 / 10)])


def test_diversity_by_features_by_hand():
    vectors = beyond.item_vectors(
        Interactions.of_histories([[]], n_items=4), sparse.csr_matrix([[3, 0], [2, 2], [0, 1], [0, 0]])
    )
    top = np.array([[0, 1, 2], [0, 2, -1], [2, 3, -1], [0, -1, -1], [-1, -1, -1]], np.int32)
    three_pairs = 1 - (1 / sqrt(2) + 0 + 1 / sqrt(2)) / 3
    assert beyond.diversity(top, vectors) == pytest.approx([three_pairs, 1.0, 1.0, 0.0, 0.0])


def test_diversity_by_common_users_by_hand():
    train = Interactions.of_histories([[0, 1], [0, 1, 1], [0], [2]], n_items=3)
    vectors = beyond.item_vectors(train, None)
    # Items 0 and 1 have 2 users in common, out of 3 and of 2; items 0 and 2 none.
    assert beyond.diversity(np.array([[0, 1], [0, 2]]), vectors) == pytest.approx([1 - 2 / sqrt(3 * 2), 1.0])


@given(seeds)
def test_diversity_equals_a_loop_over_pairs(seed):
    top = random_lists(seed)
    features = np.random.default_rng(seed).integers(0, 3, (12, 5)).astype(np.float32)
    vectors = beyond.item_vectors(Interactions.of_histories([[]], n_items=12), sparse.csr_matrix(features))
    values = beyond.diversity(top, vectors)
    for row, items in zip(values, top, strict=True):
        unlike = [1 - cosine(features[a], features[b]) for a, b in combinations(items[items >= 0], 2)]
        assert row == pytest.approx(np.mean(unlike) if unlike else 0.0, abs=1e-6)
    assert ((values >= 0) & (values <= 1)).all()


def cosine(a, b):
    length = sqrt(a @ a) * sqrt(b @ b)
    return a @ b / length if length else 0.0


def test_expected_by_hand():
    popularity = np.array([9, 7, 5, 3, 1])
    history = Interactions.of_histories([[], [0, 0, 4]], n_items=5)
    top = np.array([[0, 2], [2, 3]], np.int32)
    # The two most popular are {0, 1}; for the second user, who has seen 0 and 4, they are {1, 2}.
    assert beyond.expected(top, history, popularity).tolist() == [[True, False], [True, False]]


@given(seeds)
def test_expected_equals_ranking_by_popularity(seed):
    generator = np.random.default_rng(seed)
    top = random_lists(seed)
    popularity = generator.permutation(12)
    history = Interactions.of_histories([generator.integers(0, 12, 5).tolist() for _ in top], n_items=12)
    baseline, _ = top_k(np.tile(popularity, (len(top), 1)).astype(np.float32), history, top.shape[1])
    seen = [set(history.item[history.user == row].tolist()) for row in range(len(top))]
    values = beyond.expected(top, history, popularity)
    for row, items in enumerate(top):
        for value, item in zip(values[row], items, strict=True):
            # A list never holds what the user has seen, so what is said of such an item does not matter.
            if item not in seen[row]:
                assert value == (item >= 0 and item in baseline[row])


def test_serendipity_counts_hits_that_popularity_misses():
    hits = np.array([[True, True, False, False]])
    expected = np.array([[True, False, True, False]])
    assert beyond.serendipity(hits, expected).tolist() == [1 / 4]
