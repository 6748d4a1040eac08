"""Weighted hybrid: non-negative weights on standardised member scores, fitted per history length.

    score(u, i) = Σ_m  w_{s(u), m} z_m(u, i)  +  v_{s(u), m} ρ_m(u, i),    ρ = log((1 + N) / (1 + min(rank, N)))

with s(u) the segment of the user's history length, z the z-score and rank the place of item i among member m's best
unseen ones. A z-score says how sure a member is, its tail as heavy as the member's own scale; the rank does not care
for scale. Together they ranked 9% better than z-scores alone on held-out users of a listening log.

Weights maximise the likelihood of what validation users took (`likelihood.py`): first for all users, pulled towards
equal weights, then for each segment that has enough of them, pulled towards the weights of all.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray
from recsys.hybrid.base import Combination, as_state, shares
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.members import Members, chosen, each_placed
from recsys.hybrid.pool import Pool
from recsys.models.base import State

EDGES = np.array([1, 5, 20, 100])
"""Segments of history length: 0, 1–4, 5–19, 20–99, 100 and more events."""
MIN_USERS = 50
"""A segment with fewer validation users takes the weights of all."""
EQUAL, EQUAL_USERS = 0.2, 100.0
"""Weight that everything has before anything is known, and how many users it takes to outvote it: with 81 validation
users 50 of them raised cross-validated ndcg@10 by 3%; with a thousand, 50 to 300 made no difference beyond noise."""
PSEUDO_USERS = 100.0
"""How strongly a segment is pulled towards the weights of all."""


class Weighted(Combination):
    """Linear blend of members, its weights depending on how much is known of the user."""

    name: ClassVar[str] = "weighted"

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self.size = 100  # N
        self.W: FloatArray = np.ones((len(EDGES) + 1, 2 * len(self.members)), np.float32)  # [segments, w and v]
        self.overall: FloatArray = self.W[0]

    def fit_pool(self, pool: Pool) -> Self:
        """Maximum likelihood for all users, then segment by segment."""
        self.size = pool.size
        features = _features(pool)
        equal = np.full(features.shape[1], EQUAL, np.float32)
        self.overall = fit_weights(pool, features, prior=equal, strength=EQUAL_USERS)
        self.W = np.tile(self.overall, (len(EDGES) + 1, 1))
        segment = segment_of(pool.length)
        for s in np.unique(segment):
            users = segment == s
            if users.sum() >= MIN_USERS:
                part = pool.select(users)
                self.W[s] = fit_weights(part, _features(part), prior=self.overall, strength=PSEUDO_USERS)
        return self

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C]"""
        scores: FloatArray = np.einsum("cf,cf->c", _features(pool), self.W[segment_of(pool.length)][pool.user])
        return scores

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the blend, by each user's own segment."""
        w, v = np.split(self.W[segment_of(history.lengths)], 2, axis=1)  # each [B, M]
        blend = np.zeros((history.n_users, history.n_items), np.float32)
        user = np.arange(history.n_users)[:, None]
        for m, (z, best, place) in enumerate(each_placed(self.members, history, self.size)):
            z *= w[:, m, None]
            blend += z
            blend[user, best] += v[:, m, None] * rho(place, self.size)
        return blend

    def compact(self) -> "Weighted":
        """Without members whose weight is 0 in every segment."""
        M = len(self.members)
        keep = np.flatnonzero(self.W[:, :M].any(0) | self.W[:, M:].any(0))
        columns = np.concatenate((keep, keep + M))
        small = Weighted(chosen(self.members, keep))
        small.size, small.W, small.overall = self.size, self.W[:, columns], self.overall[columns]
        return small

    def weights(self) -> dict[str, float]:
        """Shares of w + v of all users: both features have a standard deviation of about 1 where it matters."""
        w, v = np.split(self.overall, 2)
        return shares(tuple(self.members), w + v)

    def state(self) -> State:
        """Weights by segment."""
        return as_state(size=self.size, W=self.W, overall=self.overall)

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the weights."""
        self.size, self.W, self.overall = int(state["size"]), state["W"], state["overall"]
        return self


def segment_of(length: IntArray) -> IntArray:
    """[U] segment of each history length."""
    return np.searchsorted(EDGES, length, side="right").astype(np.int64)


def rho(rank: Any, size: int) -> FloatArray:
    """log((1 + N) / (1 + rank)): 0 for what is not among the best N."""
    return np.log((1 + size) / (1 + np.asarray(rank))).astype(np.float32)


def _features(pool: Pool) -> FloatArray:
    """[C, 2M]: z and ρ of every member."""
    return np.concatenate((pool.z, rho(pool.rank, pool.size)), axis=1)
