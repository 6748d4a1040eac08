"""Bootstrap intervals of means over users, single and paired (Efron & Tibshirani 1993, percentile method)."""

from dataclasses import dataclass

import numpy as np

from recsys.data.schema import IntArray
from recsys.metrics.ranking import PerUser

BLOCK_DRAWS = 1 << 20
"""Draws held in memory at a time: 4 MiB of places and 8 MiB of values, about what a cache holds."""


@dataclass(frozen=True)
class Gain:
    """Mean over users of challenger − baseline, and its interval."""

    mean: float
    lo: float
    hi: float


def bootstrap_mean(
    values: PerUser,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    strata: IntArray | None = None,
) -> tuple[float, float]:
    """Interval of the mean of a per-user metric.

    Args:
        values: [U], one a user.
        confidence: share of resampled means inside the interval.
        resamples: how many times U users are drawn with replacement.
        seed: of the draws.
        strata: [U] labels; each resample then holds as many users of each label as there are.

    Raises:
        ValueError: there are no users, `strata` has another length, or a value is not finite.
    """
    labels = np.zeros(len(values), dtype=np.int64) if strata is None else strata
    if len(values) == 0 or len(labels) != len(values):
        seen = f"{len(values)} values and {len(labels)} labels"
        raise ValueError(f"an interval needs users, and one label each; seen {seen}")
    if not np.isfinite(values).all():
        raise ValueError("values hold NaN or infinity; there is no mean to give an interval for")
    generator = np.random.default_rng(seed)
    totals = np.zeros(resamples)
    for label in np.unique(labels):
        totals += _resampled_totals(values[labels == label], resamples, generator)
    outside = (1 - confidence) / 2
    lo, hi = np.quantile(totals / len(values), [outside, 1 - outside])
    return float(lo), float(hi)


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
    gain = challenger - baseline
    lo, hi = bootstrap_mean(gain, confidence=confidence, resamples=resamples, seed=seed, strata=strata)
    return Gain(float(gain.mean()), lo, hi)


def _resampled_totals(values: PerUser, resamples: int, generator: np.random.Generator) -> PerUser:
    """[resamples]: sums over len(values) users drawn with replacement."""
    users = len(values)
    block = max(1, BLOCK_DRAWS // users)
    totals = []
    for start in range(0, resamples, block):
        shape = (min(block, resamples - start), users)
        totals.append(values[generator.integers(users, size=shape, dtype=np.int32)].sum(axis=1))
    return np.concatenate(totals)
