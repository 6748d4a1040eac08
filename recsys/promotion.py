"""The gate: a pure decision whether a challenger replaces the champion, with its reasons in plain sentences."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recsys.config import PromotionSection
from recsys.data.schema import IntArray
from recsys.metrics.evaluation import Evaluation
from recsys.metrics.intervals import Gain, paired_bootstrap
from recsys.metrics.ranking import PerUser
from recsys.metrics.segments import Segment

METRIC = "ndcg@10"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared, as measured on the frozen test users."""

    name: str
    """As it stands in the reasons, such as `champion v3`."""
    ndcg: PerUser
    """[U] ndcg@10; both sides have the same users in the same order."""
    coverage: float
    """coverage@10."""
    cold_ndcg: float | None
    """Mean ndcg@10 of the cold users; none where the test has none."""
    tail_ndcg: float | None
    """Mean ndcg@10 counted on tail items only; none where no truth lies in the tail."""

    @classmethod
    def of(cls, name: str, evaluation: Evaluation, segments: dict[str, Segment]) -> "Side":
        """Take what the gate needs from an evaluation with k = 10 and its segments."""
        return cls(
            name=name,
            ndcg=evaluation.per_user[METRIC],
            coverage=evaluation.aggregate["coverage@10"],
            cold_ndcg=segments["cold"].get(METRIC),
            tail_ndcg=segments["tail"].get(METRIC),
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything the gate looks at."""

    challenger: Side
    baseline: Side
    baseline_kind: Literal["champion", "popularity"]
    """popularity: there is no champion yet."""
    latency_ms: float
    """p95 of the challenger scoring one user, milliseconds."""
    artifact_mib: float
    """Size of the challenger's artifact, MiB."""
    strata: IntArray | None = None
    """[U] segment of each user (`segments.user_segments`), within which the bootstrap resamples."""


@dataclass(frozen=True)
class GuardResult:
    """A limit that must hold whatever is gained, and whether it does."""

    name: str
    value: float | None
    """Of the challenger; none where the test could not measure it."""
    champion: float | None
    """Of the champion, for limits relative to it."""
    limit: float
    """Largest relative drop against the champion, or largest value."""
    holds: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and why."""

    promoted: bool
    reasons: tuple[str, ...]
    """One sentence a check, with its numbers, ending in `passed` or `failed`; or why nothing was compared."""
    gain: Gain | None = None
    guards: tuple[GuardResult, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "promoted": self.promoted,
            "reasons": list(self.reasons),
            "gain": None if self.gain is None else asdict(self.gain),
            "guards": [asdict(guard) for guard in self.guards],
        }

    def tags(self) -> dict[str, str]:
        """Text for the tags of a model version: `promotion.promoted`, `.reasons`, and where compared `.gain`."""
        tags = {"promotion.promoted": str(self.promoted).lower(), "promotion.reasons": "\n".join(self.reasons)}
        if self.gain is not None:
            tags["promotion.gain"] = f"{self.gain.mean:+.4f} [{self.gain.lo:+.4f}, {self.gain.hi:+.4f}]"
        return tags


def judge(evidence: Evidence, config: PromotionSection, seed: int = 0) -> Verdict:
    """Promote when the gain in ndcg@10 is proven and every guard holds.

    Against a champion the lower bound of the gain must be above `min_gain`, and coverage, cold-user ndcg and tail
    ndcg may drop only so far. Against popularity the lower bound must be above 0. Latency and artifact size have
    absolute limits in both cases. A challenger that gives every user the same ndcg as the baseline never passes.

    Raises:
        ValueError: the sides have different numbers of users, or a user's ndcg is not finite.
    """
    gain, gained, reason = _gain(evidence, config, seed)
    guards = _guards(evidence, config)
    sentences = (f"{guard.name} {guard.reason}: {_word(guard.holds)}" for guard in guards)
    return Verdict(gained and all(guard.holds for guard in guards), (reason, *sentences), gain, guards)


def refuse(reason: str) -> Verdict:
    """No promotion because no honest comparison is possible, such as a champion trained on the test events."""
    return Verdict(promoted=False, reasons=(reason,))


def _gain(evidence: Evidence, config: PromotionSection, seed: int) -> tuple[Gain, bool, str]:
    challenger, baseline = evidence.challenger, evidence.baseline
    gain = paired_bootstrap(
        challenger.ndcg,
        baseline.ndcg,
        confidence=config.confidence,
        resamples=config.bootstrap,
        seed=seed,
        strata=evidence.strata,
    )
    has_champion = evidence.baseline_kind == "champion"
    needed = config.min_gain if has_champion else 0.0
    same = np.array_equal(challenger.ndcg, baseline.ndcg)
    gained = gain.lo > needed and not same
    reason = (
        f"{METRIC} {challenger.ndcg.mean():.4f} against {baseline.ndcg.mean():.4f} of {baseline.name}"
        f"{'' if has_champion else ' (no champion yet)'}: {gain.mean:+.4f}, "
        f"{config.confidence:.0%} interval [{gain.lo:+.4f}, {gain.hi:+.4f}], needs > {needed:.4f}: {_word(gained)}"
        f"{', no gain: every user is served exactly as well as before' if same else ''}"
    )
    return gain, gained, reason


def _guards(evidence: Evidence, config: PromotionSection) -> tuple[GuardResult, ...]:
    challenger, champion = evidence.challenger, evidence.baseline
    absolute = (
        _ceiling("p95 latency", evidence.latency_ms, config.max_latency_ms, "ms"),
        _ceiling("artifact size", evidence.artifact_mib, config.max_artifact_mib, "MiB"),
    )
    if evidence.baseline_kind == "popularity":
        return absolute
    return (
        _drop("coverage@10", challenger.coverage, champion.coverage, config.max_coverage_drop),
        _drop(f"cold users' {METRIC}", challenger.cold_ndcg, champion.cold_ndcg, config.max_cold_drop),
        _drop(f"tail items' {METRIC}", challenger.tail_ndcg, champion.tail_ndcg, config.max_tail_drop),
        *absolute,
    )


def _drop(name: str, value: float | None, champion: float | None, limit: float) -> GuardResult:
    """The value may be lower than the champion's by at most this share; one that is not a number is too low."""
    if value is None or champion is None:
        return GuardResult(name, value, champion, limit, True, "has no test users to be measured on")
    if champion == 0:
        return GuardResult(name, value, champion, limit, value >= 0, f"{value:.4f} against 0.0000, nothing to lose")
    change = value / champion - 1
    reason = f"{value:.4f} against {champion:.4f}, {change:+.1%}, may drop by {limit:.1%}"
    # A drop exactly at the limit holds, whatever the division rounds to.
    return GuardResult(name, value, champion, limit, change >= -limit - 1e-12, reason)


def _ceiling(name: str, value: float, limit: float, unit: str) -> GuardResult:
    """The value may be at most the limit; one that is not a number is too high."""
    return GuardResult(name, value, None, limit, value <= limit, f"{value:.1f} {unit}, at most {limit:.1f} {unit}")


def _word(holds: bool) -> str:
    return "passed" if holds else "failed"
