"""Weighted hybrid: non-negative weights on standardised member scores, fitted per history length.

    score(u, i) = Σ_m w_{s(u), m} z_m(u, i),   s(u) = segment of the user's history length

Weights maximise the likelihood of what validation users took (`likelihood.py`): first for all users, then for each
segment that has enough of them, pulled towards the weights of all.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray
from recsys.hybrid.base import Combination, as_state, shares
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.members import Members, chosen, each_standard
from recsys.hybrid.pool import Pool
from recsys.models.base import State

EDGES = np.array([1, 5, 20, 100])
"""Segments of history length: 0, 1–4, 5–19, 20–99, 100 and more events."""
MIN_USERS = 50
"""A segment with fewer validation users takes the weights of all."""
PSEUDO_USERS = 100.0
"""How strongly a segment is pulled towards the weights of all."""


class Weighted(Combination):
    """Linear blend of members, its weights depending on how much is known of the user."""

    name: ClassVar[str] = "weighted"

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self.W: FloatArray = np.ones((len(EDGES) + 1, len(self.members)), np.float32)  # [segments, M]
        self.overall: FloatArray = np.ones(len(self.members), np.float32)  # [M]

    def fit_pool(self, pool: Pool) -> Self:
        """Maximum likelihood for all users, then segment by segment."""
        self.overall = fit_weights(pool, pool.z)
        self.W = np.tile(self.overall, (len(EDGES) + 1, 1))
        segment = segment_of(pool.length)
        for s in np.unique(segment):
            users = segment == s
            if users.sum() >= MIN_USERS:
                part = pool.select(users)
                self.W[s] = fit_weights(part, part.z, prior=self.overall, strength=PSEUDO_USERS)
        return self

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C]"""
        scores: FloatArray = np.einsum("cm,cm->c", pool.z, self.W[segment_of(pool.length)][pool.user])
        return scores

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the blend, by each user's own segment."""
        W = self.W[segment_of(history.lengths)]  # [B, M]
        blend = np.zeros((history.n_users, history.n_items), np.float32)
        for column, z in zip(W.T, each_standard(self.members, history), strict=True):
            z *= column[:, None]
            blend += z
        return blend

    def compact(self) -> "Weighted":
        """Without members whose weight is 0 in every segment."""
        keep = np.flatnonzero(self.W.any(0))
        small = Weighted(chosen(self.members, keep))
        small.W, small.overall = self.W[:, keep], self.overall[keep]
        return small

    def weights(self) -> dict[str, float]:
        """Shares of the weights of all users."""
        return shares(tuple(self.members), self.overall)

    def state(self) -> State:
        """Weights by segment."""
        return as_state(W=self.W, overall=self.overall)

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the weights."""
        self.W, self.overall = state["W"], state["overall"]
        return self


def segment_of(length: IntArray) -> IntArray:
    """[U] segment of each history length."""
    return np.searchsorted(EDGES, length, side="right").astype(np.int64)
