"""Members of a hybrid on one scale: per-user standardised scores."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray
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
    seen = (history.user, history.item)
    keep = scores[seen]
    scores[seen] = 0.0
    met = np.diff(history.matrix().indptr)  # distinct items
    unseen = np.maximum(history.n_items - met, 1)[:, None]
    mean = scores.sum(1, keepdims=True, dtype=np.float64) / unseen
    square = np.einsum("bi,bi->b", scores, scores, dtype=np.float64)[:, None] / unseen
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    scores[seen] = keep
    constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    scores -= mean.astype(np.float32)
    scores *= np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation)).astype(np.float32)
    return scores


def each_standard(members: Members, history: Interactions) -> Iterator[FloatArray]:
    """Every member's standardised scores [B, n] in turn, in the order of `members`; the caller may overwrite them."""
    for member in members.values():
        if isinstance(member, Remembered):
            yield member.standard(history)
        else:
            yield standardise(member.score(history), history)


def standard_scores(members: Members, history: Interactions) -> FloatArray:
    """[M, B, n] float32: every member's standardised scores, in the order of `members`."""
    return np.stack(list(each_standard(members, history)))


class Remembered:
    """A member that remembers its scores of the last batch, so that hybrids over it ask it once.

    A batch is recognised by identity: histories are never changed.
    """

    name: ClassVar[str] = "remembered"

    def __init__(self, member: Recommender) -> None:
        self.member = member
        self._last: tuple[Interactions, FloatArray, FloatArray] | None = None

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the member's scores, a copy each time."""
        return self._batch(history)[1].copy()

    def standard(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the member's standardised scores, a copy each time."""
        return self._batch(history)[2].copy()

    def _batch(self, history: Interactions) -> tuple[Interactions, FloatArray, FloatArray]:
        if self._last is None or self._last[0] is not history:
            scores = self.member.score(history)
            self._last = (history, scores, standardise(scores.copy(), history))
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
