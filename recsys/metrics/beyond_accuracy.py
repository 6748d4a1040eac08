"""What lists are like apart from being right: coverage, exposure, novelty, diversity, serendipity.

`top` is [U, k] int32, items by rank with -1 where a list is short. Per-user functions return [U] float64; a user
without recommendations counts 0.
"""

from typing import Any

import numpy as np
from scipy import sparse

from recsys.data.interactions import Interactions
from recsys.data.schema import BoolArray, IntArray, RowArray
from recsys.metrics.ranking import PerUser

COOCCURRENCE_USERS = 1000
"""Users of the log (a seeded sample) whose histories describe an item that has no features."""


def exposure(top: RowArray, n_items: int) -> IntArray:
    """[n_items] int64: how many users are recommended each item."""
    return np.bincount(top[top >= 0], minlength=n_items).astype(np.int64)


def coverage(exposed: IntArray) -> float:
    """Share of the catalogue that at least one user is recommended.

    >>> coverage(np.array([3, 0, 1, 0]))
    0.5
    """
    return float(np.mean(exposed > 0))


def gini(exposed: IntArray) -> float:
    """Gini coefficient of exposure: 0 when all items are shown alike, (n − 1) / n when one item is all there is.

        Σ_i (2i − n − 1) · c_i / (n · Σ c),   c ascending, i = 1 … n

    >>> gini(np.array([0, 0, 0, 8]))
    0.75
    """
    count = np.sort(exposed).astype(np.float64)
    n, total = len(count), count.sum()
    return float((2 * np.arange(1, n + 1) - n - 1) @ count / (n * total)) if total else 0.0


def novelty(top: RowArray, popularity: IntArray) -> PerUser:
    """Mean self-information of the recommended items in bits (Zhou et al. 2010).

        mean_j −log2 p(item_j),   p(i) = (c_i + 1) / Σ (c + 1)

    `popularity` is [n_items], events of each item in training; the + 1 keeps a cold item finite.
    """
    share = (popularity + 1.0) / (popularity + 1.0).sum()
    return _mean_over_list(-np.log2(share)[top], top)


def diversity(top: RowArray, vectors: sparse.csr_matrix) -> PerUser:
    """Intra-list diversity: mean of 1 − cosine over the pairs of a list (Ziegler et al. 2005).

    `vectors` is [n_items, d] with rows of length 1 or 0, from `item_vectors`; an item without a vector is unlike
    every other. A list of fewer than two items counts 0.
    """
    rows, _ = np.nonzero(top >= 0)
    shape = (len(top), vectors.shape[0])
    lists = sparse.csr_matrix((np.ones(len(rows), np.float64), (rows, top[top >= 0])), shape=shape)
    # |Σ v|² holds every pair twice and every item with itself once.
    both_ways = _squares(lists @ vectors) - lists @ _squares(vectors)
    pairs = lists.getnnz(axis=1) * (lists.getnnz(axis=1) - 1.0)
    spread: PerUser = np.where(pairs > 0, 1 - both_ways / np.maximum(pairs, 1), 0.0)
    return np.clip(spread, 0.0, 1.0)


def item_vectors(train: Interactions, item_features: sparse.csr_matrix | None, seed: int = 0) -> sparse.csr_matrix:
    """[n_items, d] float64, rows of length 1: item features, or else who interacted with the item."""
    if item_features is None:
        users = np.random.default_rng(seed).permutation(train.n_users)[:COOCCURRENCE_USERS]
        known = train.select(users).matrix().T.tocsr()
        known.data[:] = 1.0
    else:
        known = item_features
    length = np.sqrt(_squares(known))
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_matrix(sparse.diags_array(inverse) @ known)


def expected(top: RowArray, history: Interactions, popularity: IntArray) -> BoolArray:
    """[U, k] bool: items a popularity baseline, the user's seen items removed, has in its k best too."""
    n_items = np.int64(history.n_items)
    place = np.empty(n_items, dtype=np.int64)
    place[np.argsort(-popularity, kind="stable")] = np.arange(n_items)
    seen = np.unique(history.user * n_items + place[history.item])
    start = np.arange(len(top))[:, None] * n_items
    # An item moves up one place for each more popular item the user has seen.
    more_popular_seen = np.searchsorted(seen, start + place[top]) - np.searchsorted(seen, start)
    among_best: BoolArray = (place[top] - more_popular_seen < top.shape[1]) & (top >= 0)
    return among_best


def serendipity(hits: BoolArray, is_expected: BoolArray) -> PerUser:
    """Share of the k places that are hits the popularity baseline would not have made (Ge et al. 2010)."""
    surprising: PerUser = np.mean(hits & ~is_expected, axis=1, dtype=np.float64)
    return surprising


def _mean_over_list(values: PerUser, top: RowArray) -> PerUser:
    listed = top >= 0
    mean: PerUser = np.where(listed, values, 0.0).sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
    return mean


def _squares(matrix: Any) -> PerUser:
    """[rows] float64: squared length of each row."""
    return np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64).ravel()
