"""The popularity fallback: whoever has no history at all is answered with what everybody likes."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.hybrid.base import Combination
from recsys.models.base import Recommender, State


class WithFallback(Combination):
    """A recommender, and another one for empty histories."""

    name: ClassVar[str] = "fallback"

    @classmethod
    def of(cls, model: Recommender, fallback: Recommender) -> "WithFallback":
        """Wrap a recommender."""
        return cls({"model": model, "fallback": fallback})

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the fallback's row for an empty history, the model's for the others."""
        scores = self.members["model"].score(history)
        unknown = np.flatnonzero(history.lengths == 0)
        if len(unknown):
            scores[unknown] = self.members["fallback"].score(history.select(unknown))
        return scores

    def state(self) -> State:
        """Nothing is learnt."""
        return {}

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Nothing to take back."""
        return self
