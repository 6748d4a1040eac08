"""Ranking metrics: one value a user, from which places of a list were hits.

Every function takes `hits` [U, k] bool (the item at rank j, from 0, is relevant; j past the end of a short list is
no hit) and `n_relevant` [U] int (how many distinct items are relevant for the user), and returns [U] float64 in
[0, 1]; k is the width of `hits`. A user who was recommended nothing counts 0. A user for whom nothing is relevant
cannot be judged: that is an error here, and `evaluation` leaves such users out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.data.interactions import Interactions
from recsys.data.schema import BoolArray, IntArray, RowArray
from recsys.errors import InputError, did_you_mean

PerUser = npt.NDArray[np.float64]
"""[U] float64: one value a user."""


def relevance(top: RowArray, truth: Interactions) -> tuple[BoolArray, IntArray]:
    """Compare lists with what the users did next.

    Args:
        top: [U, k] int32 items by rank, -1 = none.
        truth: what U users did next; an item repeated counts once.

    Returns:
        hits: [U, k] bool.
        n_relevant: [U] int64, distinct items in the truth of each user.
    """
    n_items = np.int64(truth.n_items)
    relevant = np.unique(truth.user * n_items + truth.item)
    n_relevant = np.bincount(relevant // n_items, minlength=truth.n_users).astype(np.int64)
    pairs = np.arange(len(top))[:, None] * n_items + top
    hits: BoolArray = np.isin(pairs, relevant) & (top >= 0)
    return hits, n_relevant


def ndcg(hits: BoolArray, n_relevant: IntArray) -> PerUser:
    """Normalised discounted cumulative gain (Järvelin & Kekäläinen 2002), binary relevance.

        Σ_j hit_j / log2(j + 2)  /  Σ_{j < min(n_relevant, k)} 1 / log2(j + 2)

    The ideal list is as full as it can be: a perfect list scores 1.
    """
    relevant = _checked(hits, n_relevant)
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discount)[np.minimum(relevant, hits.shape[1]) - 1]
    gain: PerUser = np.cumsum(hits * discount, axis=1)[:, -1] / ideal
    return gain


def recall(hits: BoolArray, n_relevant: IntArray) -> PerUser:
    """Share of the relevant items that are in the list: Σ_j hit_j / n_relevant (never min(n_relevant, k))."""
    share: PerUser = hits.sum(axis=1) / _checked(hits, n_relevant)
    return share


def precision(hits: BoolArray, n_relevant: IntArray) -> PerUser:
    """Share of the k places that are hits: Σ_j hit_j / k; the places a short list leaves empty count."""
    _checked(hits, n_relevant)
    share: PerUser = hits.sum(axis=1) / hits.shape[1]
    return share


def average_precision(hits: BoolArray, n_relevant: IntArray) -> PerUser:
    """Average precision, whose mean over users is `map`.

        Σ_j hit_j · precision@(j + 1)  /  min(n_relevant, k)

    With min, as for ndcg, a perfect list scores 1; trec_eval divides by n_relevant.
    """
    relevant = _checked(hits, n_relevant)
    k = hits.shape[1]
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    average: PerUser = (hits * precision_at).sum(axis=1) / np.minimum(relevant, k)
    return average


def reciprocal_rank(hits: BoolArray, n_relevant: IntArray) -> PerUser:
    """1 / (j + 1) for the first hit j, 0 without one; its mean over users is `mrr`."""
    _checked(hits, n_relevant)
    first: PerUser = hits.any(axis=1) / (1.0 + hits.argmax(axis=1))
    return first


def hit_rate(hits: BoolArray, n_relevant: IntArray) -> PerUser:
    """1 where the list has a hit, else 0."""
    _checked(hits, n_relevant)
    return np.asarray(hits.any(axis=1), dtype=np.float64)


Metric = Callable[[BoolArray, IntArray], PerUser]

METRICS: dict[str, Metric] = {
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "hit_rate": hit_rate,
}


def parse(metric: str) -> tuple[Metric, int]:
    """The function and the k of a name.

    Raises:
        InputError: the name is not `name@k` of a metric in `METRICS`.

    >>> parse("recall@20")[1]
    20
    """
    name, _, k = metric.partition("@")
    if name not in METRICS:
        raise InputError(f"unknown metric {metric!r}: {did_you_mean(name, METRICS)}, then @k, such as ndcg@10")
    if not k.isdecimal() or int(k) < 1:
        raise InputError(f"metric {metric!r}: expected {name}@k with k at least 1, such as {name}@10")
    return METRICS[name], int(k)


def _checked(hits: BoolArray, n_relevant: Any) -> IntArray:
    relevant = np.asarray(n_relevant, dtype=np.int64)
    if relevant.shape != hits.shape[:1] or hits.ndim != 2 or hits.shape[1] == 0:
        raise ValueError(
            f"hits must be [U, k] with k at least 1 and n_relevant [U]; seen {hits.shape=}, {relevant.shape=}"
        )
    if (relevant < hits.sum(axis=1)).any() or (relevant < 1).any():
        raise ValueError("a user has no relevant item, or fewer than hits; leave out users who cannot be judged")
    return relevant
