"""What hybrids share: members, a refit that keeps the weights, and weights that become arrays."""

from typing import Any, ClassVar, Protocol, Self

import numpy as np

from recsys.data.dataset import Dataset
from recsys.data.schema import BoolArray, FloatArray
from recsys.hybrid.members import Members
from recsys.hybrid.pool import Pool
from recsys.models.base import Recommender, State


class Hybrid(Recommender, Protocol):
    """A recommender made of members; `fit` refits the members and keeps what was learnt about them."""

    name: ClassVar[str]
    members: dict[str, Recommender]

    def __init__(self, members: Members) -> None: ...

    def fit_pool(self, pool: Pool) -> Self:
        """Learn how to combine the members from what validation users took."""
        ...

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C] scores of a pool's candidates: what `score` would give them."""
        ...

    def compact(self) -> "Hybrid":
        """The same recommender without the members that never count."""
        ...

    def weights(self) -> dict[str, float]:
        """Share of each member in the combination, summing to 1: for people to read."""
        ...


class Combination:
    """The members of a hybrid and how they are refitted."""

    def __init__(self, members: Members) -> None:
        self.members: dict[str, Recommender] = dict(members)

    def fit(self, data: Dataset) -> Self:
        """Refit every member on a log; what was learnt about them stays."""
        for member in self.members.values():
            member.fit(data)
        return self


def set_above(first: BoolArray, scores: FloatArray, rest: FloatArray) -> FloatArray:
    """`scores` where `first`, else `rest` moved below all of them; each keeps its order.

    All [..., n]; along the last axis one shift moves the rest, no further than it has to: float32 near 10,000 could not
    tell scores apart that differ by less than 0.001.
    """
    floor = scores.min(-1, keepdims=True, where=first, initial=0)
    top = rest.max(-1, keepdims=True, where=~first, initial=0)
    return np.where(first, scores, rest - top + (floor - 1)).astype(np.float32)


def shares(names: tuple[str, ...], weights: FloatArray) -> dict[str, float]:
    """Weights as shares of their sum, by name."""
    total = float(weights.sum()) or 1.0
    return {name: round(float(weight) / total, 4) for name, weight in zip(names, weights, strict=True)}


def as_state(**arrays: Any) -> State:
    """Named arrays from arrays and numbers."""
    return {name: np.asarray(value) for name, value in arrays.items()}
