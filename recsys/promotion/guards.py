"""The guards: limits that hold whatever is gained, one row each: what is measured, which way, how far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.config import PromotionSection
from recsys.metrics.intervals import paired_bootstrap
from recsys.metrics.off_policy import Comparison
from recsys.metrics.ranking import PerUser
from recsys.promotion.evidence import METRIC, Evidence, Side

Direction = Literal["at least", "at most"]
"""at least: the value may not be lower than the limit allows; at most: not higher."""


@dataclass(frozen=True)
class GuardResult:
    """A limit that must hold whatever is gained, and whether it does."""

    name: str
    direction: Direction
    value: float | None
    """Of the challenger; none where the test could not measure it."""
    champion: float | None
    """Of the champion, for limits relative to it."""
    limit: float
    """Largest relative drop against the champion, or the value allowed."""
    holds: bool
    reason: str


@dataclass(frozen=True)
class Drop:
    """The challenger may be lower than the champion by a share at most; without a champion nothing is compared.

    Where there is a value a user, a lower mean must also be no chance: the interval of the paired difference lies
    below 0. A tail in which one user of fifty finds anything says nothing, nor does a single cold user.
    """

    name: str
    of: Callable[[Side], PerUser | float]
    limit: Callable[[PromotionSection], float]

    def check(self, evidence: Evidence, config: PromotionSection) -> GuardResult | None:
        """A value that is no number is too low."""
        if evidence.baseline_kind != "champion":
            return None
        sides = [self.of(side) for side in (evidence.challenger, evidence.baseline)]
        ours, theirs = map(np.atleast_1d, sides)
        limit = self.limit(config)
        if not (len(ours) and len(theirs)):
            reason = "has no test users to be measured on"
            return GuardResult(self.name, "at least", None, None, limit, True, reason)
        value, champion = float(ours.mean()), float(theirs.mean())
        if champion == 0:
            holds, reason = value >= 0, f"{value:.4f} against 0.0000, nothing to lose"
        else:
            change = value / champion - 1
            # A drop exactly at the limit holds, whatever the division rounds to.
            holds = change >= -limit - 1e-12
            reason = f"{value:.4f} against {champion:.4f}, {change:+.1%}, may drop by {limit:.1%}"
            if not holds and isinstance(sides[0], np.ndarray):
                gain = paired_bootstrap(ours, theirs, confidence=config.confidence, resamples=config.bootstrap)
                holds = gain.hi >= 0
                reason += f", {config.confidence:.0%} interval of the difference {gain.bounds}"
                reason += " holds 0" if holds else ""
        return GuardResult(self.name, "at least", value, champion, limit, holds, reason)


@dataclass(frozen=True)
class Ceiling:
    """The challenger's value may be so much at most, whatever the champion's is."""

    name: str
    of: Callable[[Evidence], float]
    limit: Callable[[PromotionSection], float]
    unit: str

    def check(self, evidence: Evidence, config: PromotionSection) -> GuardResult | None:
        """A value that is no number is too high."""
        value, limit = self.of(evidence), self.limit(config)
        reason = f"{value:.1f} {self.unit}, at most {limit:.1f} {self.unit}"
        return GuardResult(self.name, "at most", value, None, limit, value <= limit, reason)


@dataclass(frozen=True)
class NotProvenWorse:
    """Logged answers may not prove the challenger worse: the gain's upper bound is at least 0, or they are too few."""

    name: str

    def check(self, evidence: Evidence, config: PromotionSection) -> GuardResult | None:
        """Without logged answers there is nothing to say."""
        found = evidence.off_policy
        if found is None or evidence.baseline_kind != "champion":
            return None
        if found.challenger is None or found.champion is None or found.gain is None:
            return GuardResult(self.name, "at least", None, None, 0.0, True, _silence(found))
        ours, theirs, gain = found.challenger, found.champion, found.gain
        reason = (
            f"{ours.dr.mean:.4f} against {theirs.dr.mean:.4f} a place shown, doubly robust "
            f"(SNIPS {ours.snips.mean:.4f} against {theirs.snips.mean:.4f}), on {found.requests:,} logged requests, "
            f"effective sample {ours.effective:,.0f} and {theirs.effective:,.0f}: {gain.mean:+.4f}, "
            f"{config.confidence:.0%} interval {gain.bounds}, must reach 0"
        )
        return GuardResult(self.name, "at least", ours.dr.mean, theirs.dr.mean, 0.0, gain.hi >= 0, reason)


def _silence(found: Comparison) -> str:
    return (
        f"does not speak: effective sample {min(found.effective):,.0f} of {found.slots:,} logged places, "
        f"needs {found.needed:,.0f}"
    )


GUARDS: tuple[Drop | Ceiling | NotProvenWorse, ...] = (
    Drop("coverage@10", lambda side: side.coverage, lambda config: config.max_coverage_drop),
    Drop(f"cold users' {METRIC}", lambda side: side.cold, lambda config: config.max_cold_drop),
    Drop(f"tail items' {METRIC}", lambda side: side.tail, lambda config: config.max_tail_drop),
    Ceiling("p95 latency", lambda found: found.latency_ms, lambda config: config.max_latency_ms, "ms"),
    Ceiling("artifact size", lambda found: found.artifact_mib, lambda config: config.max_artifact_mib, "MiB"),
    NotProvenWorse("off-policy reward"),
)


def check(evidence: Evidence, config: PromotionSection) -> tuple[GuardResult, ...]:
    """Every guard that applies, in the order of `GUARDS`."""
    found = (guard.check(evidence, config) for guard in GUARDS)
    return tuple(result for result in found if result is not None)
