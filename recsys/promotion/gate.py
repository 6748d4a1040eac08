"""From evidence to verdict: the gain in ndcg@10 and the guards, and the words and tags that say so."""

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recsys.config import PromotionSection
from recsys.metrics.intervals import Gain, paired_bootstrap
from recsys.metrics.off_policy import Comparison
from recsys.promotion import guards as limits
from recsys.promotion.evidence import METRIC, Evidence
from recsys.promotion.guards import GuardResult

LOST = "promotion.lost"
"""Tag of a version: its `Verdict.lost`."""


@dataclass(frozen=True)
class Compared:
    """The comparison on test users that the verdict rests on."""

    metric: str
    baseline: str
    """Against whom, such as `champion v3`."""
    challenger_mean: float
    baseline_mean: float
    users: int
    needed: float
    """The gain's lower bound must be above this."""
    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and why."""

    promoted: bool
    reasons: tuple[str, ...]
    """One sentence a check, with its numbers, ending in `passed` or `failed`; or why nothing was compared."""
    gain: Gain | None = None
    guards: tuple[GuardResult, ...] = ()
    compared: Compared | None = None
    off_policy: Comparison | None = None
    lost: float = 0.0
    """Share of ndcg@10 that the challenger and those before it lost, each against the one before, since a gain was last
    proven: refreshes may lose no more than `refresh_loss` together."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what is no finite number is null."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain

    def tags(self) -> dict[str, str]:
        """Text for the tags of a model version: `promotion.promoted`, `.reasons`, and every number behind them."""
        tags = {"promotion.promoted": str(self.promoted).lower(), "promotion.reasons": "\n".join(self.reasons)}
        if self.gain is not None:
            tags["promotion.gain"] = f"{self.gain.mean:+.4f} {self.gain.bounds}"
        if found := self.compared:
            tags |= {
                "promotion.baseline": found.baseline,
                "promotion.ndcg_at_10": f"{found.challenger_mean:.4f} against {found.baseline_mean:.4f}",
                "promotion.needed": f"> {found.needed:.4f}",
                "promotion.confidence": f"{found.confidence:g}",
                "promotion.users": str(found.users),
                LOST: f"{self.lost:.4f}",
            }
        return tags | {f"promotion.guard.{_key(guard.name)}": _sentence(guard) for guard in self.guards}


def judge(evidence: Evidence, config: PromotionSection, seed: int = 0) -> Verdict:
    """Promote when the gain in ndcg@10 is proven and every guard holds.

    Against a champion the lower bound of the gain must be above `min_gain`, less what is left of `refresh_loss` where
    the challenger is a refresh; coverage, cold-user ndcg and tail ndcg may drop only so far, and logged answers may not
    prove the challenger worse. Against popularity the lower bound must be above 0. Latency and artifact size have
    absolute limits in both cases. A challenger that gives every user the same ndcg as the baseline never passes.

    Raises:
        ValueError: the sides have different numbers of users, or a user's ndcg is not finite.
    """
    gain, compared, gained, reason = _gain(evidence, config, seed)
    guards = limits.check(evidence, config)
    sentences = (f"{guard.name} {_sentence(guard)}" for guard in guards)
    promoted = gained and all(guard.holds for guard in guards)
    return Verdict(promoted, (reason, *sentences), gain, guards, compared, evidence.off_policy, _lost(evidence, gain))


def refuse(reason: str) -> Verdict:
    """No promotion because no honest comparison is possible, such as a champion trained on the test events."""
    return Verdict(promoted=False, reasons=(reason,))


def _gain(evidence: Evidence, config: PromotionSection, seed: int) -> tuple[Gain, Compared, bool, str]:
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
    needed = _needed(evidence, config)
    same = np.array_equal(challenger.ndcg, baseline.ndcg)
    gained = gain.lo > needed and not same
    compared = Compared(
        metric=METRIC,
        baseline=baseline.name,
        challenger_mean=float(challenger.ndcg.mean()),
        baseline_mean=float(baseline.ndcg.mean()),
        users=len(challenger.ndcg),
        needed=needed,
        confidence=config.confidence,
        resamples=config.bootstrap,
        seed=seed,
    )
    reason = (
        f"{METRIC} {compared.challenger_mean:.4f} against {compared.baseline_mean:.4f} of {baseline.name}"
        f"{'' if has_champion else ' (no champion yet)'}: {gain.mean:+.4f}, "
        f"{config.confidence:.0%} interval {gain.bounds}, needs > {needed:.4f}"
        f"{_doubt(evidence, config) if evidence.refresh and has_champion else ''}: {_word(gained)}"
        f"{', no gain: every user is served exactly as well as before' if same else ''}"
    )
    return gain, compared, gained, reason


def _needed(evidence: Evidence, config: PromotionSection) -> float:
    """What the lower bound of the gain must be above."""
    if evidence.baseline_kind != "champion":
        return 0.0
    return config.min_gain - _risk(evidence, config) * float(evidence.baseline.ndcg.mean())


def _risk(evidence: Evidence, config: PromotionSection) -> float:
    """Share of the champion's ndcg@10 that may be lost: what refreshes before this one have left of it."""
    return max(0.0, config.refresh_loss - evidence.lost) if evidence.refresh else 0.0


def _lost(evidence: Evidence, gain: Gain) -> float:
    """Losses add up until a gain is proven, gains make up for them: a sum that stays above 0 (CUSUM, Page 1954)."""
    mean = float(evidence.baseline.ndcg.mean())
    if evidence.baseline_kind != "champion" or gain.lo > 0 or mean == 0:
        return 0.0
    return max(0.0, evidence.lost - gain.mean / mean)


def _doubt(evidence: Evidence, config: PromotionSection) -> str:
    before = f" of the {config.refresh_loss:.1%} that refreshes may lose in a row" if evidence.lost > 0 else ""
    return f" (a refresh on newer data may risk {_risk(evidence, config):.1%}{before})"


def _sentence(guard: GuardResult) -> str:
    return f"{guard.reason}: {_word(guard.holds)}"


def _key(name: str) -> str:
    """As MLflow takes it: `cold users' ndcg@10` is `cold_users_ndcg_at_10`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().replace("@", " at ").replace("'", "")).strip("_")


def _finite(value: Any) -> Any:
    """Plain values with nulls where JSON has no number."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _word(holds: bool) -> str:
    return "passed" if holds else "failed"
