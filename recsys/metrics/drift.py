"""How far recent events have moved away from the log a model was fitted on: its items, its ids, its scores."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

from recsys.data.idmap import UNKNOWN, IdMap
from recsys.data.schema import IntArray

DRAWS: Final = 20
"""Samples by which chance is told from change; their mean is known to about a hundredth of its size."""

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """A distance between two distributions, and the one that chance alone would show."""

    value: float
    """0 where they are equal, 1 where they have nothing in common."""
    expected: float
    """The mean distance of samples drawn from the reference itself, each as large as the recent one: a small sample
    always looks shifted."""

    @property
    def excess(self) -> float:
        """What chance does not explain; at least 0."""
        return max(0.0, self.value - self.expected)


def popularity_shift(reference_counts: IntArray, recent_counts: IntArray, seed: int = 0) -> Shift:
    """Distance between the items of a log and those of recent events: Jensen–Shannon, base 2 (Lin 1991).

        √(½ Σ p log2(p / m) + ½ Σ q log2(q / m)),   m = (p + q) / 2

    Its root is a metric (Endres & Schindelin 2003).

    >>> popularity_shift(np.array([5, 5, 0]), np.array([0, 0, 3])).value
    1.0

    Args:
        reference_counts: [n] events of each item in the log.
        recent_counts: [n] events of the same items since; an item that the log does not have has a place in both.
        seed: of the samples.

    Returns:
        The distance and the one to expect; both 0 where there are no recent events.

    Raises:
        ValueError: shapes differ, a count is negative, or the log is empty.
    """
    if reference_counts.shape != recent_counts.shape or reference_counts.ndim != 1:
        raise ValueError(f"counts of the same items are expected; seen {reference_counts.shape}, {recent_counts.shape}")
    if min(reference_counts.min(initial=0), recent_counts.min(initial=0)) < 0 or not reference_counts.any():
        raise ValueError("counts must be 0 or more, with an event in the log at least")
    size = int(recent_counts.sum())
    if not size:
        return Shift(0.0, 0.0)
    reference, generator = _shares(reference_counts), np.random.default_rng(seed)
    # One at a time: together they would take DRAWS times the memory of a catalogue.
    by_chance = [_distance(reference, _shares(generator.multinomial(size, reference))) for _ in range(DRAWS)]
    return Shift(_distance(reference, _shares(recent_counts)), float(np.mean(by_chance)))


def unknown_share(known: IdMap, raw: Iterable[Any]) -> float:
    """Share of the ids, one an event, that a map does not know; 0 where there are none.

    >>> unknown_share(IdMap.of([1, 2]), ["2", "2", "x", 3])
    0.5
    """
    rows = known.rows(raw)
    return float(np.mean(rows == UNKNOWN)) if len(rows) else 0.0


def score_shift(reference: npt.NDArray[np.floating[Any]], recent: npt.NDArray[np.floating[Any]]) -> float:
    """The largest distance between the distribution functions of two samples of scores: Kolmogorov–Smirnov.

    0 where the samples are equal or one is empty, 1 where one lies above the other.

    >>> score_shift(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.3, 0.4, 0.5, 0.6]))
    0.5

    Args:
        reference: [n] scores that the model gave when it was new.
        recent: [m] those that it gives now.

    Raises:
        ValueError: a score is not finite.
    """
    if not (np.isfinite(reference).all() and np.isfinite(recent).all()):
        raise ValueError("scores hold NaN or infinity; there is no order to compare them by")
    if not (len(reference) and len(recent)):
        return 0.0
    # scipy.stats.ks_2samp also computes a p-value, which takes most of its time and divides by zero for two scores.
    both = np.concatenate((reference, recent))
    below = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (reference, recent)]
    return float(np.abs(below[0] - below[1]).max())


def _shares(counts: IntArray) -> Shares:
    shares: Shares = counts / counts.sum()
    return shares


def _distance(p: Shares, q: Shares) -> float:
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / (2 * np.log(2))
    # Rounding leaves equal distributions a hair beside 0, and disjoint ones beside 1.
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))
