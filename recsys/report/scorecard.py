"""The scorecard of a run: every figure it reports, typed, and which data each comes from."""

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from recsys.promotion import METRIC, Verdict

SIGNIFICANT = 6
"""Digits kept of a number in JSON; a metric over a thousand users is not known better."""

SHOWN = (METRIC, "recall@10", "coverage@10")
"""Test metrics that every table shows, so every model must have them."""

Metrics = dict[str, float]
"""metric@k -> mean over users."""

SegmentMetrics = dict[str, int | float]
"""`users`, how many they are, and metric@k -> mean over them."""


class Record(BaseModel):
    """A frozen part of the scorecard; unknown fields and numbers that are not finite are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DatasetRecord(Record):
    """The prepared log."""

    name: str
    digest: str
    users: int
    items: int
    interactions: int
    density: float
    """interactions / (users · items)."""
    first: str
    """Time of the first event, ISO 8601."""
    last: str
    events_read: int
    dropped: dict[str, int]
    """Reason -> events left out for it."""

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Self:
        """Take what belongs here from the summary of a prepared set."""
        return cls.model_validate({name: summary[name] for name in cls.model_fields})


class SplitRecord(Record):
    """The split, as the leakage check found it; its return value has these fields."""

    method: Literal["time", "leave_last", "ratio"]
    train: int
    """Events."""
    validation: int
    test: int
    validation_users: int
    test_users: int
    leakage_check: Literal["passed"]
    digest: str


class ModelRecord(Record):
    """One model: what it is, what it cost, what it was worth."""

    kind: Literal["candidate", "hybrid", "baseline"]
    params: dict[str, JsonValue]
    fit_seconds: float
    """Of the fit behind the test figures."""
    tune_seconds: float = 0.0
    """Of all trials together."""
    trials: int = 0
    earned: float = 0.0
    """A candidate's share in the blend of the first models."""
    granted_seconds: float = 0.0
    """What it got for that to search with, its first trial not counted."""
    validation: Metrics
    test: Metrics
    test_ci: dict[str, tuple[float, float]]
    """metric@k -> bounds of the 95% bootstrap interval."""


class HybridRecord(Record):
    """How the members were put together."""

    chosen: str
    """Name, in `models`, of the hybrid that went to the gate."""
    weights: dict[str, float]
    """Member -> its share in the chosen hybrid."""
    ablation: Metrics
    """Member -> change of ndcg@10 when it is left out; negative: it helps."""
    cv: Metrics
    """Hybrid -> ndcg@10 on cross-validated validation users, by which it was chosen."""


class GainRecord(Record):
    """Mean paired gain in ndcg@10 over what was to beat, and its interval."""

    mean: float
    lo: float | None
    """None, as `hi`, where one user was judged."""
    hi: float | None


class PromotionRecord(Record):
    """What the gate decided."""

    promoted: bool
    reasons: tuple[str, ...]
    champion_version: int | None
    """Version that is champion after the run; none: there is no champion."""
    gain: GainRecord | None = None
    """None where nothing was compared."""

    @classmethod
    def of(cls, verdict: Verdict, champion_version: int | None) -> Self:
        """The verdict, and who is champion now."""
        plain = verdict.to_dict()
        return cls(champion_version=champion_version, **{key: plain[key] for key in ("promoted", "reasons", "gain")})


class TimingsRecord(Record):
    """Wall time of the run and its stages, seconds."""

    total: float
    validate_: float = Field(alias="validate")
    preprocess: float
    train: float
    hybrid: float
    promote: float
    orchestration: float
    """The total less the time inside library calls."""


class EnvironmentRecord(Record):
    """What a reader needs to repeat a run, or to understand why it took so long."""

    python: str
    platform: str
    versions: dict[str, str]
    """Main library -> version."""
    cpus: int
    """That this process may use."""
    memory_gib: float
    """Of the machine."""
    device: str
    """On which models were trained."""
    commit: str | None
    """Of this code, `-dirty` when files were changed since; none outside a clone."""


class DataOf(Record):
    """Which data the models behind a figure were fitted on."""

    validation: str = "train"
    hybrid: str = "members: train; weights and their choice: validation users"
    test: str = "train + validation"
    segments: str = "train + validation"
    serving: str
    """Of the registered model: all events, or no more than was judged."""


class Scorecard(Record):
    """Everything a run reports; `scorecard.json` is this, with numbers to `SIGNIFICANT` digits."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    dataset: DatasetRecord
    split: SplitRecord
    models: dict[str, ModelRecord]
    hybrid: HybridRecord
    segments: dict[str, dict[str, SegmentMetrics]]
    """model -> cold, warm, hot (users), head, tail (items) -> metrics on the test."""
    promotion: PromotionRecord
    timings: TimingsRecord
    environment: EnvironmentRecord
    data_of: DataOf
    notes: tuple[str, ...] = ()
    """What a reader should know, such as a candidate that was refused with its estimate."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, model in self.models.items():
            missing = [metric for metric in SHOWN if metric not in model.test]
            if missing or METRIC not in model.test_ci:
                raise ValueError(f"model {name} needs test {', '.join(SHOWN)} and test_ci {METRIC}; missing {missing}")
        strangers = sorted({self.hybrid.chosen, *self.segments} - set(self.models))
        if strangers:
            raise ValueError(f"no such model: {', '.join(strangers)}; there are {', '.join(self.models)}")
        return self

    def ranked(self) -> list[tuple[str, ModelRecord]]:
        """Models by test ndcg@10, best first; by name where equal."""
        return sorted(self.models.items(), key=lambda entry: (-entry[1].test[METRIC], entry[0]))

    def to_json(self) -> str:
        """JSON with a final newline."""
        plain = _rounded(self.model_dump(mode="json", by_alias=True))
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT}g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
