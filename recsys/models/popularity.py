"""Time-decayed popularity: the floor every model has to beat, and the answer to an empty history.

    score(i) = log(1 + c_i / mean(c)),   c_i = Σ_events of i  w · 2^(−(t_max − t) / (half_life · span))

with span = t_max − t_min of the log. The logarithm keeps order and tames the tail, so that popularity can stand
beside other members of a hybrid. Events of a log that is not dated count alike (`Interactions.is_dated`). Cost:
O(events) time, O(items) memory. Limits: the same answer for everybody.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.models.base import ModelConfig, Range, Space, State


class PopularityConfig(ModelConfig):
    """Parameters of `Popularity`."""

    half_life: float = Field(default=0.1, ge=0)
    """Age at which an event counts half, as a share of a dated log's time span; 0: age does not matter."""


class Popularity:
    """Counts events per item, recent ones more."""

    name: ClassVar[str] = "popularity"
    Config: ClassVar[type[ModelConfig]] = PopularityConfig
    SPACE: ClassVar[Space] = {"half_life": Range(low=0.005, high=10.0, log=True)}
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    def __init__(self, config: PopularityConfig | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        self.config = config or PopularityConfig()
        self.log_count: FloatArray = np.zeros(0, np.float32)  # [n_items]

    @classmethod
    def memory_bytes(cls, config: PopularityConfig, data: Dataset) -> int:
        """A few arrays over events and items."""
        return 16 * len(data.interactions) + 8 * data.interactions.n_items

    def fit(self, data: Dataset) -> Self:
        """Count decayed events."""
        log = data.interactions
        weight = log.freshness(self.config.half_life)
        count = np.bincount(log.item, weights=weight, minlength=log.n_items)
        self.log_count = np.log1p(count / max(count.mean(), 1e-12)).astype(np.float32)
        return self

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the same row for everybody."""
        return np.tile(self.log_count, (history.n_users, 1))

    def state(self) -> State:
        """The one score vector."""
        return {"log_count": self.log_count}

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the score vector."""
        self.log_count = state["log_count"]
        return self
