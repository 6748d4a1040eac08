"""What can be configured: frozen typed sections, each key with its meaning, unit and default."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CandidateName = Literal["popularity", "als", "fm", "ease", "multvae", "sasrec"]
HybridName = Literal["weighted", "cascade", "stacking", "switching"]
CANDIDATES: tuple[CandidateName, ...] = ("popularity", "als", "fm", "ease", "multvae", "sasrec")
HYBRIDS: tuple[HybridName, ...] = ("weighted", "cascade", "stacking", "switching")
STORE = "mlruns"
"""Where everything is kept, unless somebody says otherwise."""
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]*"
"""What names a folder, a model in MLflow, and a word on the command line alike."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A frozen part of the configuration that accepts no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ColumnNames(Section):
    """What the columns are called in your files."""

    user_id: str = "user_id"
    """Who; whole numbers or text."""
    item_id: str = "item_id"
    """What; whole numbers or text."""
    timestamp: str = "timestamp"
    """When."""
    rating: str = "rating"
    """Optional in the file."""
    event_type: str = "event_type"
    """Optional in the file."""


class DataSection(Section):
    """Where the interaction log is and how to read it."""

    path: str | None = None
    """CSV, TSV or Parquet file of events; relative to the configuration file."""
    source: str | None = None
    """Name of a data set that `recsys data fetch` knows, instead of `path`."""
    users: str | None = None
    """Optional user table: a user_id column, every other column an attribute."""
    items: str | None = None
    """Optional item table: an item_id column, every other column an attribute."""
    columns: ColumnNames = ColumnNames()
    timestamp_unit: Literal["s", "ms", "us", "ns"] = "s"
    """Unit of numeric timestamps; text timestamps are parsed as ISO 8601."""
    event_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """event_type -> weight; 0 leaves the events out. Empty: every event weighs 1."""
    min_rating: float | None = None
    """Events rated lower are left out; none: every rated event counts."""
    k_core: int = Field(default=1, ge=1)
    """Keep users and items with at least this many events, repeatedly; 1 keeps all."""

    @model_validator(mode="after")
    def _one_origin(self) -> "DataSection":
        if (self.path is None) == (self.source is None):
            raise ValueError("give either data.path (your file) or data.source (a named data set), and not both")
        return self


class ValidationSection(Section):
    """The data contract: what an acceptable batch of events is."""

    suite: str | None = None
    """Expectation suite (YAML) to use instead of the built one, relative to the configuration file."""
    on_failure: Literal["fail", "quarantine"] = "fail"
    """fail: stop before anything else runs. quarantine: set bad rows aside and go on."""
    max_bad_fraction: float = Field(default=0.05, ge=0, le=1)
    """With quarantine: more bad rows than this share of all rows, or of `min_events` where they are fewer, fails."""
    min_events: int = Field(default=100, ge=1)
    """Fewest events a batch may hold."""
    min_users: int = Field(default=10, ge=2)
    """Fewest distinct users."""
    min_items: int = Field(default=10, ge=2)
    """Fewest distinct items."""
    rating_min: float | None = None
    """Smallest rating allowed; none: not checked."""
    rating_max: float | None = None
    """Largest rating allowed; none: not checked."""
    earliest: str | None = None
    """ISO date before which no event may lie; none: not checked."""
    max_duplicate_fraction: float = Field(default=0.5, ge=0, le=1)
    """Largest share of rows that repeat an earlier row exactly (they are dropped in preprocessing)."""
    max_unseen_fraction: float = Field(default=1.0, ge=0, le=1)
    """Largest share of events whose user, and whose item, the last accepted batch did not hold; 1: all."""


class SplitSection(Section):
    """How events are divided into train, validation and test."""

    method: Literal["time", "leave_last", "ratio"] = "time"
    """time: two global cuts. leave_last: a user's last event tests, the one before validates.
    ratio: the last share of every user's own events."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of events in validation (time, ratio)."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of events in test (time, ratio)."""


class ModelsSection(Section):
    """Which candidates are trained, and what is fixed about them."""

    candidates: tuple[CandidateName, ...] = CANDIDATES
    """Families to tune; popularity is always fitted, as floor and fallback."""
    params: dict[str, dict[str, bool | int | float | str]] = Field(default_factory=dict)
    """model -> parameter -> value: the point from which the search of that model starts."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA when there is one."""
    memory_gib: float = Field(default=4.0, gt=0)
    """Of one model while it is fitted or scores: several are held when they are combined. A candidate whose starting
    point is estimated above this is refused, and the run goes on without it; no search goes further than this."""

    @model_validator(mode="after")
    def _popularity_always(self) -> "ModelsSection":
        if "popularity" not in self.candidates:
            object.__setattr__(self, "candidates", ("popularity", *self.candidates))
        return self


class TuningSection(Section):
    """How much search each candidate gets."""

    trials: int = Field(default=12, ge=1)
    """Trials per candidate; the first is the starting point: the model's defaults, or what `models.params` says."""
    timeout: float = Field(default=600.0, gt=0)
    """Seconds for all candidates together. Each gets one trial, which ends early after at least an even share of them
    where it is trained in epochs; what is left goes by the weight these models earn in a hybrid, a quarter evenly."""
    seed: Seed = 0
    """Seed of the search."""
    metric: str = "ndcg@10"
    """Validation metric to maximise."""
    max_users: int = Field(default=4000, ge=10)
    """Validation users scored in a trial (a seeded sample; always over the full catalogue)."""


class HybridSection(Section):
    """Which hybrids compete, and how the winner is chosen."""

    methods: tuple[HybridName, ...] = Field(default=HYBRIDS, min_length=1)
    """Hybrids to fit, simplest first: the first within two standard errors of the best on cross-validated validation
    users is chosen."""
    folds: int = Field(default=4, ge=2)
    """Folds over validation users."""
    pool: int = Field(default=100, ge=10)
    """Items each member brings to the pool on which weights are fitted."""
    max_users: int = Field(default=6000, ge=20)
    """Validation users used for fitting and choosing (a seeded sample of them)."""


class PromotionSection(Section):
    """When the challenger replaces the champion."""

    model_name: str | None = Field(default=None, pattern=f"^{NAME}$")
    """Registered model; none: `recsys-<name of the configuration>`."""
    min_gain: float = 0.0
    """The lower bound of the interval of the gain in ndcg@10 must be above this."""
    refresh_loss: float = Field(default=0.1, ge=0, lt=1)
    """How far below `min_gain` that bound may lie for a challenger of `recsys retrain`, as a share of the champion's
    ndcg@10, less what refreshes in a row have lost already: a champion grows old while proof is gathered. 0: it must be
    proven better, like any other."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Of the bootstrap interval."""
    bootstrap: int = Field(default=2000, ge=100)
    """Resamples of the bootstrap."""
    max_coverage_drop: float = Field(default=0.5, ge=0, le=1)
    """Largest relative drop of coverage@10 against the champion."""
    max_cold_drop: float = Field(default=0.1, ge=0, le=1)
    """Largest relative drop of ndcg@10 on cold users."""
    max_tail_drop: float = Field(default=0.5, ge=0, le=1)
    """Largest relative drop of ndcg@10 counted on tail items only."""
    max_latency_ms: float = Field(default=500.0, gt=0)
    """p95 of scoring one user, milliseconds."""
    max_artifact_mib: float = Field(default=4096.0, gt=0)
    """Arrays of the judged model, MiB; the registered artifact holds the one that serves and the log as well."""
    min_effective_sample: float = Field(default=100.0, gt=0)
    """Logged answers with propensities speak at the gate from this effective sample (Σw)² / Σw² on, of both sides."""
    refit: Literal["all", "none"] = "all"
    """all: once judged, the winner is refit on all the data before it serves."""


class RetrainSection(Section):
    """When a champion is worth a retraining."""

    min_events: int = Field(default=100, ge=1)
    """Fewer events than this that the champion has not learnt from are never worth it."""
    new_share: float = Field(default=0.05, gt=0)
    """New events, as a share of those the champion learnt from, that are worth it by their number."""
    max_age_days: float = Field(default=30.0, gt=0)
    """Age of the champion at which any `min_events` are worth it, days."""
    max_popularity_shift: float = Field(default=0.15, gt=0, le=1)
    """Jensen-Shannon distance between what is taken now and what was, beyond what chance shows."""
    max_unknown_share: float = Field(default=0.1, gt=0, le=1)
    """Largest share of new events on items the champion does not know."""
    max_score_shift: float = Field(default=0.2, gt=0, le=1)
    """Kolmogorov-Smirnov distance between the champion's best scores for users with new events and for all others."""
    max_quality_drop: float = Field(default=0.2, gt=0, le=1)
    """Largest relative drop of the champion's ndcg@10 on new events of items it knows against its test."""


class BacktestSection(Section):
    """How the loop is replayed on a log."""

    start: float = Field(default=0.4, gt=0, lt=1)
    """Share of the events that the first model learns from."""
    period_days: float = Field(default=7.0, gt=0)
    """Length of a period, at whose end the loop ingests, retrains and judges; days."""
    visit_minutes: float = Field(default=30.0, gt=0)
    """A user's events closer together than this are one visit, answered once, at its beginning; minutes."""
    trials: int = Field(default=1, ge=1)
    """Trials per candidate in each retraining; the first starts from the parameters of the champion."""


class RetentionSection(Section):
    """What `recsys prune` leaves."""

    versions: int = Field(default=5, ge=0)
    """Newest versions of the model that stay, besides those with an alias and those that a person took off."""
    runs: int = Field(default=20, ge=1)
    """Newest pipeline runs in MLflow that stay, each with its candidates and trials; as many of `recsys monitor`."""
    days: float = Field(default=14.0, gt=0)
    """Results under work/, replays and batches stay for this long after they were made or used last, days."""


class Config(Section):
    """The whole configuration of a pipeline."""

    name: str = Field(default="", pattern=f"^{NAME}$|^$")
    """Name of the experiment and the registered model; default: the file's name."""
    seed: Seed = 0
    """Seed of everything but the search."""
    store: str = STORE
    """Folder for everything the pipeline writes; relative to the working directory."""
    data: DataSection
    validation: ValidationSection = ValidationSection()
    split: SplitSection = SplitSection()
    models: ModelsSection = ModelsSection()
    tuning: TuningSection = TuningSection()
    hybrid: HybridSection = HybridSection()
    promotion: PromotionSection = PromotionSection()
    retrain: RetrainSection = RetrainSection()
    backtest: BacktestSection = BacktestSection()
    retention: RetentionSection = RetentionSection()

    @property
    def model_name(self) -> str:
        """Name in the model registry."""
        return self.promotion.model_name or f"recsys-{self.name}"
