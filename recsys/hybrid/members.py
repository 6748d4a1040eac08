"""Members of a hybrid on one scale: per-user standardised scores, and places by them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray, RowArray
from recsys.metrics.top_k import largest, tie_hash, without_seen
from recsys.models.base import Recommender, State

Members = Mapping[str, Recommender]


def chosen(members: Members, positions: IntArray) -> dict[str, Recommender]:
    """The members at these positions."""
    names = list(members)
    return {names[position]: members[names[position]] for position in positions}


def standardise(scores: FloatArray, history: Interactions) -> FloatArray:
    """Scores [B, n] → mean 0, standard deviation 1 over each user's unseen items; a constant row becomes 0.

    Members score on scales of their own (a count, a logit, a reconstruction); a user's row of z-scores is what
    they share. The input is overwritten.
    """
    met = np.diff(history.matrix().indptr)  # distinct items
    unseen = np.maximum(history.n_items - met, 1)[:, None]
    with without_seen(scores, history, 0.0) as left:
        mean = left.sum(1, keepdims=True, dtype=np.float64) / unseen
        square = np.einsum("bi,bi->b", left, left, dtype=np.float64)[:, None] / unseen
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    scores -= mean.astype(np.float32)
    scores *= np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation)).astype(np.float32)
    return scores


def best_unseen(z: FloatArray, history: Interactions, size: int) -> tuple[IntArray, RowArray]:
    """Each user's best unseen items by standardised scores, best first, and the place of each, 0 = best.

    Scores are compared to four decimals: what rounding alone tells apart would change places with the batch; what is
    then equal is in the order of a hash. Items that tie with the first one left out have no place of their own (a
    member that says nothing of most items would otherwise give places by chance), nor have seen ones: their place is
    `size`. Both [B, min(size, n)].
    """
    with without_seen(z, history) as unseen:
        items, best = largest(unseen, size + 1)
    top = min(size, z.shape[1])
    items, best, left_out = items[:, :top], best[:, :top].round(4), best[:, top : top + 1].round(4)
    order = np.lexsort((tie_hash(items, np.zeros((len(z), 1), np.uint64), 0), -best), axis=-1)
    items, best = np.take_along_axis(items, order, 1), np.take_along_axis(best, order, 1)
    return items, np.where(best > left_out, np.arange(top), size).astype(np.int32)


Placed = tuple[FloatArray, IntArray, RowArray]
"""A member's standardised scores [B, n] and what `best_unseen` says of them."""


def each_placed(members: Members, history: Interactions, size: int) -> Iterator[Placed]:
    """Every member's scores and places in turn, in the order of `members`; the caller may overwrite the scores."""
    for member in members.values():
        if isinstance(member, Remembered):
            yield member.placed(history, size)
        else:
            z = standardise(member.score(history), history)
            yield z, *best_unseen(z, history, size)


class Remembered:
    """A member that remembers its scores of the last batch, so that hybrids over it ask it once.

    A batch is recognised by identity: histories are never changed.
    """

    name: ClassVar[str] = "remembered"

    def __init__(self, member: Recommender) -> None:
        self.member = member
        self._last: tuple[Interactions, FloatArray, FloatArray] | None = None
        self._places: dict[int, tuple[IntArray, RowArray]] = {}  # of the last batch, by size

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the member's scores, a copy each time."""
        return self._batch(history)[1].copy()

    def placed(self, history: Interactions, size: int) -> Placed:
        """The member's standardised scores, a copy each time, and the places of its best `size`."""
        z = self._batch(history)[2]
        if size not in self._places:
            self._places[size] = best_unseen(z, history, size)
        return z.copy(), *self._places[size]

    def _batch(self, history: Interactions) -> tuple[Interactions, FloatArray, FloatArray]:
        if self._last is None or self._last[0] is not history:
            scores = self.member.score(history)
            self._last = (history, scores, standardise(scores.copy(), history))
            self._places = {}
        return self._last

    def fit(self, data: Dataset) -> Self:
        """Refit the member."""
        self.member.fit(data)
        self._last = None
        return self

    def state(self) -> State:
        """The member's."""
        return self.member.state()

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the member's state."""
        self.member.load(state)
        self._last = None
        return self
