"""Intervals: bootstrap of means over users, percentile for one and symmetric for a comparison; Wilson of shares.

The percentile interval (Efron & Tibshirani 1993) of a difference is too narrow on the side that decides: a sample with
a large mean is skewed to the right, and so is what is drawn from it. With 50 to 100 users of whom most have ndcg 0,
two equal models differ "provably" in 3.5% of all cases instead of 2.5%; BCa and bootstrap-t, which follow the skew
further, in 4.5% to 6%. The symmetric interval (Hall 1988, "On symmetric bootstrap confidence intervals") stays within
2.5% from 20 users on (`tests/metrics/test_intervals.py`, `bench/rows/gate.py`).

Whoever is alone in a stratum has no spread there, and joins the largest stratum, of equals that of the lowest label.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from recsys.data.schema import IntArray
from recsys.metrics.ranking import PerUser

BLOCK_DRAWS = 1 << 20
"""Draws held in memory at a time: 4 MiB of places and 8 MiB of values, about what a cache holds."""


@dataclass(frozen=True)
class Gain:
    """A mean and its interval; of a comparison, the mean of challenger − baseline."""

    mean: float
    lo: float
    """−∞, and `hi` ∞, where there is one user only."""
    hi: float

    @property
    def bounds(self) -> str:
        """The interval for a person to read.

        >>> Gain(0.02, 0.01, 0.03).bounds, Gain(0.02, -math.inf, math.inf).bounds
        ('[+0.0100, +0.0300]', '[-∞, +∞] (one user judged, too few to tell)')
        """
        if math.isinf(self.hi):
            return "[-∞, +∞] (one user judged, too few to tell)"
        return f"[{self.lo:+.4f}, {self.hi:+.4f}]"


def bootstrap_mean(
    values: PerUser,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    strata: IntArray | None = None,
) -> tuple[float, float]:
    """Interval of the mean of a per-user metric; of one user from 0 to 1, all that a metric can be.

    Args:
        values: [U], one a user.
        confidence: share of resampled means inside the interval.
        resamples: how many times U users are drawn with replacement.
        seed: of the draws.
        strata: [U] labels; each resample then holds as many users of each label as there are.

    Raises:
        ValueError: there are no users, `strata` has another length, or a value is not finite.
    """
    labels = _labels(values, strata)
    if len(values) == 1:
        return 0.0, 1.0
    generator = np.random.default_rng(seed)
    totals = np.zeros(resamples)
    for group in _groups(values, labels):
        totals += _resampled_totals(group, resamples, generator)
    outside = (1 - confidence) / 2
    lo, hi = np.quantile(totals / len(values), [outside, 1 - outside])
    return float(lo), float(hi)


def symmetric_interval(
    values: PerUser,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    strata: IntArray | None = None,
) -> Gain:
    """Mean of values that may be negative, and an interval that reaches equally far to both sides.

    It reaches as far as the share `confidence` of resampled means lies from the mean, times what small samples lack:
    √(n / (n - 1)) within each stratum for the spread, and t / z with n - strata degrees of freedom for not knowing it.
    One user says nothing of the others: the interval is infinite.
    Arguments and errors are those of `bootstrap_mean`.
    """
    labels, mean = _labels(values, strata), float(values.mean())
    if len(values) == 1:
        return Gain(mean, -math.inf, math.inf)
    generator = np.random.default_rng(seed)
    away, n_strata = np.zeros(resamples), 0
    for group in _groups(values, labels):
        spread = np.sqrt(len(group) / (len(group) - 1))
        away += spread * (_resampled_totals(group, resamples, generator) - group.sum())
        n_strata += 1
    inside = (1 + confidence) / 2
    unknown = stdtrit(len(values) - n_strata, inside) / ndtri(inside)
    reach = float(unknown * np.quantile(np.abs(away), confidence) / len(values))
    return Gain(mean, mean - reach, mean + reach)


def paired_bootstrap(
    challenger: PerUser,
    baseline: PerUser,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    strata: IntArray | None = None,
) -> Gain:
    """Gain of the challenger over the baseline on the same users, in the same order.

    Users are drawn with both their values, so what makes a user easy or hard for both cancels out.
    Arguments and errors are those of `bootstrap_mean`.
    """
    if challenger.shape != baseline.shape:
        raise ValueError(f"a paired comparison needs the same users; seen {challenger.shape} and {baseline.shape}")
    return symmetric_interval(
        challenger - baseline, confidence=confidence, resamples=resamples, seed=seed, strata=strata
    )


def wilson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share that was counted (Wilson 1927): honest for few trials and for shares near 0 or 1.

        (p + z²/2n ± z √(p (1 − p) / n + z²/4n²)) / (1 + z²/n)

    >>> [round(bound, 4) for bound in wilson(1, 10)]
    [0.0179, 0.4042]

    Returns:
        Lower and upper bound; 0 and 1 where nothing was tried.
    """
    if not trials:
        return 0.0, 1.0
    share, z = hits / trials, float(ndtri((1 + confidence) / 2))
    centre, scale = share + z * z / (2 * trials), 1 + z * z / trials
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _labels(values: PerUser, strata: IntArray | None) -> IntArray:
    """[U] the stratum of each value, with two users or more where there are as many; all of them checked."""
    labels = np.zeros(len(values), dtype=np.int64) if strata is None else strata
    if len(values) == 0 or len(labels) != len(values):
        seen = f"{len(values)} values and {len(labels)} labels"
        raise ValueError(f"an interval needs users, and one label each; seen {seen}")
    if not np.isfinite(values).all():
        raise ValueError("values hold NaN or infinity; there is no mean to give an interval for")
    _, group, users = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where(users[group] == 1, users.argmax(), group)


def _groups(values: PerUser, labels: IntArray) -> Iterator[PerUser]:
    """The values of each stratum."""
    for label in np.unique(labels):
        yield values[labels == label]


def _resampled_totals(values: PerUser, resamples: int, generator: np.random.Generator) -> PerUser:
    """[resamples]: sums over len(values) users drawn with replacement."""
    users = len(values)
    block = max(1, BLOCK_DRAWS // users)
    totals = []
    for start in range(0, resamples, block):
        shape = (min(block, resamples - start), users)
        totals.append(values[generator.integers(users, size=shape, dtype=np.int32)].sum(axis=1))
    return np.concatenate(totals)
