"""Cascade hybrid: one member recalls, the blend of all re-ranks what it recalled.

The recaller is the member that brings the most of what validation users took into its best N; the blend's weights are
fitted on what it brings and nothing else: what was taken and not recalled, no weight could rank. Items that were not
recalled keep the recaller's order, below all that were.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.hybrid.base import Combination, as_state, set_above, shares
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.members import Members, chosen, each_placed
from recsys.hybrid.pool import Pool
from recsys.models.base import State


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
        brought = pool.where(recalled[:, self.recaller])
        self.w = fit_weights(brought, brought.z)
        return self

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C]"""
        brought = pool.rank[:, self.recaller] < pool.size
        return set_above(brought, pool.z @ self.w, pool.z[:, self.recaller])

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the blend on the recaller's best N, the recaller below."""
        shape = (history.n_users, history.n_items)
        blend, recalled, recall = np.zeros(shape, np.float32), np.zeros(shape, np.bool_), np.zeros(0, np.float32)
        for m, (z, best, place) in enumerate(each_placed(self.members, history, self.size)):
            blend += self.w[m] * z
            if m == self.recaller:
                recall = z
                recalled[np.arange(len(best))[:, None], best] = place < self.size
        return set_above(recalled, blend, recall)

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
