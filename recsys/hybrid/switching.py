"""Switching hybrid: the member that does best for users of this history length answers alone.

Segments are those of the weighted hybrid (0, 1–4, 5–19, 20–99, 100+ events); a segment with too few validation users
takes the member that is best over all. The classic answer to cold start: popularity for nobody we know, a sequence
model for those we know well.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray
from recsys.hybrid.base import Combination, as_state, shares
from recsys.hybrid.members import Members, chosen, standardise
from recsys.hybrid.pool import Pool
from recsys.hybrid.weighted import EDGES, MIN_USERS, segment_of
from recsys.models.base import State


class Switching(Combination):
    """One member a segment of history length."""

    name: ClassVar[str] = "switching"

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self.choice: IntArray = np.zeros(len(EDGES) + 1, np.int64)
        self.users: IntArray = np.ones(len(EDGES) + 1, np.int64)

    def fit_pool(self, pool: Pool) -> Self:
        """The member with the highest mean ndcg@10 in each segment."""
        value = np.stack([pool.ndcg(pool.z[:, m]) for m in range(len(self.members))])  # [M, U]
        segment = segment_of(pool.length)
        self.users = np.bincount(segment, minlength=len(EDGES) + 1).astype(np.int64)
        self.choice = np.full(len(EDGES) + 1, value.mean(1).argmax())
        for s in np.flatnonzero(self.users >= MIN_USERS):
            self.choice[s] = value[:, segment == s].mean(1).argmax()
        return self

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C]"""
        column = self.choice[segment_of(pool.length)][pool.user]
        scores: FloatArray = np.take_along_axis(pool.z, column[:, None], 1)[:, 0]
        return scores

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: every user scored by one member only."""
        scores = np.zeros((history.n_users, history.n_items), np.float32)
        choice = self.choice[segment_of(history.lengths)]
        members = list(self.members.values())
        for m in np.unique(choice):
            rows = np.flatnonzero(choice == m)
            part = history.select(rows)
            scores[rows] = standardise(members[m].score(part), part)
        return scores

    def compact(self) -> "Switching":
        """Without members that answer nobody."""
        keep = np.unique(self.choice)
        small = Switching(chosen(self.members, keep))
        small.choice, small.users = np.searchsorted(keep, self.choice), self.users
        return small

    def weights(self) -> dict[str, float]:
        """Share of validation users each member answers."""
        answered = np.bincount(self.choice, weights=self.users, minlength=len(self.members))
        return shares(tuple(self.members), answered.astype(np.float32))

    def state(self) -> State:
        """Member by segment."""
        return as_state(choice=self.choice, users=self.users)

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the choice."""
        self.choice, self.users = state["choice"], state["users"]
        return self
