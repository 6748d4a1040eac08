"""Cascade hybrid: one member recalls, the blend of all re-ranks what it recalled.

The recaller is the member that brings the most of what validation users took into its best N; the blend's weights are
fitted on that pool alone. Items that were not recalled keep the recaller's order, below all that were.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import BoolArray, FloatArray
from recsys.hybrid.base import Combination, as_state, shares
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.members import Members, best_unseen, chosen, standard_scores
from recsys.hybrid.pool import Pool
from recsys.models.base import State

BELOW = np.float32(1e4)
"""Distance between what was recalled and what was not: above any blend of standardised scores."""


class Cascade(Combination):
    """Cheap recall, then re-ranking."""

    name: ClassVar[str] = "cascade"

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self.recaller = 0
        self.size = 100
        self.w: FloatArray = np.ones(len(self.members), np.float32)

    def fit_pool(self, pool: Pool) -> Self:
        """Choose the recaller by recall@N, then weigh all members on what it brings."""
        self.size = pool.size
        recalled = pool.rank < pool.size  # [C, M]
        self.recaller = int((recalled & pool.relevant[:, None]).sum(0).argmax())
        self.w = fit_weights(pool, np.where(_brought(pool, self.recaller)[:, None], pool.z, np.float32(0)))
        return self

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C]"""
        brought = _brought(pool, self.recaller)
        return np.where(brought, pool.z @ self.w, pool.z[:, self.recaller] - BELOW).astype(np.float32)

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the blend on the recaller's best N, the recaller below."""
        z = standard_scores(self.members, history)  # [M, B, n]
        recall = z[self.recaller]
        best, place = best_unseen(recall, history, self.size)
        recalled = np.zeros(recall.shape, np.bool_)
        recalled[np.arange(len(best))[:, None], best] = place < self.size
        blend = np.tensordot(self.w, z, axes=1)
        scores: FloatArray = np.where(recalled, blend, recall - BELOW)
        return scores

    def compact(self) -> "Cascade":
        """Without members of weight 0 that do not recall."""
        keep = np.union1d(np.flatnonzero(self.w), [self.recaller])
        small = Cascade(chosen(self.members, keep))
        small.recaller, small.size, small.w = int(np.searchsorted(keep, self.recaller)), self.size, self.w[keep]
        return small

    def weights(self) -> dict[str, float]:
        """Shares in the re-ranking."""
        return shares(tuple(self.members), self.w)

    def state(self) -> State:
        """Recaller, its list length, weights."""
        return as_state(recaller=self.recaller, size=self.size, w=self.w)

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back what `state` gave."""
        self.recaller, self.size, self.w = int(state["recaller"]), int(state["size"]), state["w"]
        return self


def _brought(pool: Pool, recaller: int) -> BoolArray:
    brought: BoolArray = pool.rank[:, recaller] < pool.size
    return brought
