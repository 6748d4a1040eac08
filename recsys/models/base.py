"""What every candidate and every hybrid is: fitted on a dataset, scoring histories."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from recsys.config import Section
from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray

State = dict[str, np.ndarray[Any, Any]]
"""Everything a fitted model knows, as named arrays: saved as npz, loaded without pickle."""

OnEpoch = Callable[[int, "Recommender"], bool]
"""Called after each epoch with its number (from 1) and the model, ready to score; true ends the training."""


class ModelConfig(Section):
    """Parameters of a model. One frozen object, the one home of every default."""


@runtime_checkable
class Recommender(Protocol):
    """A model that scores from a history, never from a user id.

    One code path answers a user seen in training, one who arrived ten seconds ago, and a group; a hybrid of
    recommenders is itself one. Scores are finite, larger is better, and are not comparable between models.
    """

    name: ClassVar[str]

    def fit(self, data: Dataset) -> Self:
        """Learn from a log; returns itself."""
        ...

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items] float32 for the B users of `history`; a row never depends on the other rows.

        Seen items are scored like any other (they are removed only in `top_k`); an empty history is answered.
        """
        ...

    def state(self) -> State:
        """What was learnt, as arrays."""
        ...

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back what `state` gave; returns itself, ready to score."""
        ...


class Candidate(Recommender, Protocol):
    """A recommender of the table: it has a name, a configuration and a search space."""

    Config: ClassVar[type[ModelConfig]]
    SPACE: ClassVar["Space"]
    """What the search varies; the rest stays as configured."""
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]]
    """Parameters that act only when scoring, with the values to try in order: searched on a fitted model."""
    config: Any

    def __init__(self, config: Any = None, *, seed: int = 0, device: str = "cpu") -> None: ...

    @classmethod
    def memory_bytes(cls, config: Any, data: Dataset) -> int:
        """Estimate of the peak memory of a fit, bytes, known before it starts."""
        ...


class EpochTrained(Candidate, Protocol):
    """A candidate trained in epochs: it can be watched, pruned and stopped early."""

    def fit(self, data: Dataset, on_epoch: OnEpoch | None = None) -> Self:
        """Learn from a log for `config.epochs` epochs, or until `on_epoch` returns true."""
        ...


HALF_LIVES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 0.0)
"""Recency of history: events after which one counts half, down to 0 = all count alike."""


class Range(Section):
    """Values a parameter may take in the search."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def allows(self, value: Any) -> bool:
        """Whether the search could come to this value."""
        return bool(self.low <= value <= self.high)

    def within(self, fits: Callable[[Any], bool]) -> "Range":
        """The same up to the largest whole number that fits; fractions size nothing, they stay."""
        if not self.integer:
            return self
        values = range(int(self.low), int(self.high) + 1)
        return self.model_copy(update={"high": self.low + bisect_left(values, True, key=lambda v: not fits(v)) - 1})


class Choice(Section):
    """One of a few values."""

    values: tuple[Any, ...]

    def allows(self, value: Any) -> bool:
        """Whether the search could come to this value."""
        return value in self.values

    def within(self, fits: Callable[[Any], bool]) -> "Choice":
        """Those that fit."""
        return Choice(values=tuple(value for value in self.values if fits(value)))


Space = Mapping[str, Range | Choice]
"""Parameter -> the values it may take."""
