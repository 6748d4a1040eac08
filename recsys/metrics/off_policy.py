"""Off-policy estimates: what a recommender would have earned on requests that another one answered at random.

The item-position model of Li et al. (KDD 2018, arXiv 1804.10488): the reward of a place depends on the user, the item
and the position, not on what else is in the list. Each logged place (request, position) is then a bandit problem of
its own. With x the request, a the item shown at position k with propensity p, r its reward, π the list to be judged
and w = π(a | x, k) / p:

    SNIPS = Σ w r / Σ w                                    Swaminathan & Joachims, NIPS 2015
    DR    = 1/N Σ [ Σ_b π(b | x, k) q(b, k) + w (r - q(a, k)) ]    Dudík, Langford & Li, ICML 2011

q predicts rewards; a wrong q costs precision, never truth, as long as propensities are true. Both are the mean reward
of a place. Lists are deterministic here: π is 1 for the item in that place and 0 for all others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.data.schema import IntArray
from recsys.metrics.intervals import Gain, symmetric_interval

Values = npt.NDArray[np.float64]

LEAST_PROPENSITY = 0.01
"""Smaller propensities count as this, so that no place weighs more than a hundred: less variance, for a bias towards
what `q` predicts (DR) or what was shown (SNIPS) of the places concerned."""
FOLDS = 5
"""Parts of the requests; rewards of one are predicted from the others."""
PRIOR_REWARD = 5.0
"""Reward that every item is given beside its own, earned at the average rate: it shrinks the lift of rare items."""


@dataclass(frozen=True, eq=False)
class Slots:
    """N places of answered requests, what was shown there and what came of it."""

    request: IntArray
    """[N] 0 ≤ request < requests."""
    item: IntArray
    """[N] row of the item shown; -1 for one that the catalogue does not have."""
    position: IntArray
    """[N] from 1."""
    propensity: Values
    """[N] probability with which the item was shown there, above 0 and at most 1."""
    reward: Values
    """[N] 0 where nothing was done."""

    def __len__(self) -> int:
        return len(self.request)


@dataclass(frozen=True)
class Estimate:
    """Of one recommender; rewards are means over places."""

    snips: Gain
    """Mean and interval."""
    dr: Gain
    """Mean and interval."""
    effective: float
    """Effective sample (Σw)² / Σw²: how many places with equal weights say as much (Kong 1992)."""


@dataclass(frozen=True)
class Comparison:
    """Challenger and champion on the same logged places."""

    slots: int
    requests: int
    effective: tuple[float, float]
    """Of challenger and champion."""
    needed: float
    """The smaller of the two must reach this, or nothing is estimated."""
    challenger: Estimate | None = None
    champion: Estimate | None = None
    gain: Gain | None = None
    """Challenger − champion, doubly robust, paired by request."""


def compare(
    slots: Slots,
    challenger: IntArray,
    champion: IntArray,
    *,
    needed: float,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Estimate two recommenders from the same log, unless it says too little about one of them.

    Args:
        slots: the log.
        challenger: [N] item that it would show in each place, -1 for none.
        champion: the same of the other.
        needed: smallest effective sample.
        confidence: of the intervals, over requests.
        resamples: of the bootstrap.
        seed: of the folds and the draws.

    Raises:
        ValueError: there are no places, or a propensity is not in (0, 1].
    """
    if len(slots) == 0 or not ((slots.propensity > 0) & (slots.propensity <= 1)).all():
        raise ValueError(f"an estimate needs places with propensities in (0, 1]; seen {len(slots)} places")
    _, request = np.unique(slots.request, return_inverse=True)
    lists = (challenger, champion)
    weights = [importance(slots, shown) for shown in lists]
    effective = effective_sample(weights[0]), effective_sample(weights[1])
    size = int(request.max()) + 1
    if min(effective) < needed:
        return Comparison(len(slots), size, effective, needed)

    def by_request(terms: Values) -> Values:
        return np.bincount(request, terms, size).astype(np.float64)

    def interval(earned: Values, counted: Values) -> Gain:
        """Of Σ earned / Σ counted, both [requests]: the bootstrap of its first-order terms, request by request."""
        value = earned.sum() / counted.sum()
        terms = value + (earned - value * counted) / counted.mean()
        return symmetric_interval(terms, confidence=confidence, resamples=resamples, seed=seed)

    places = by_request(np.ones(len(slots)))
    predicted, *expected = predict(slots, (slots.item, *lists), seed)
    robust = [
        by_request(doubly_robust(slots.reward, weight, predicted, of_list))
        for weight, of_list in zip(weights, expected, strict=True)
    ]
    estimates = [
        Estimate(interval(by_request(weight * slots.reward), by_request(weight)), interval(terms, places), sample)
        for weight, terms, sample in zip(weights, robust, effective, strict=True)
    ]
    return Comparison(
        len(slots), size, effective, needed, estimates[0], estimates[1], interval(robust[0] - robust[1], places)
    )


def importance(slots: Slots, shown: IntArray) -> Values:
    """[N] w: 1 / propensity where the item shown is the one that was logged, else 0."""
    same = (shown == slots.item) & (shown >= 0)
    return np.asarray(same / np.maximum(slots.propensity, LEAST_PROPENSITY), np.float64)


def effective_sample(weight: Values) -> float:
    """(Σw)² / Σw²; 0 where all weights are.

    >>> effective_sample(np.array([2.0, 2.0, 0.0])), effective_sample(np.array([3.0, 1.0]))
    (2.0, 1.6)
    """
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def doubly_robust(reward: Values, weight: Values, predicted: Values, expected: Values) -> Values:
    """[N] terms whose mean is DR; with predictions of 0 it is plain inverse propensity scoring.

    Args:
        reward: r.
        weight: w.
        predicted: q of the item that was logged.
        expected: q of the item that would be shown, 0 for none.
    """
    return expected + weight * (reward - predicted)


def predict(slots: Slots, shown: tuple[IntArray, ...], seed: int = 0) -> list[Values]:
    """q of items in the places of a log: rate of the position times the lift of the item, other requests' rewards only.

    The lift of an item is its reward over what its positions would have earned on average, both with `PRIOR_REWARD`
    added.

    Args:
        slots: the log.
        shown: [N] items each, -1 for none.
        seed: of the folds.

    Returns:
        [N] for each of `shown`; 0 for no item.
    """
    found = [np.zeros(len(slots)) for _ in shown]
    fold = np.random.default_rng(seed).integers(FOLDS, size=int(slots.request.max()) + 1)[slots.request]
    n_items = 1 + max(int(items.max()) for items in (slots.item, *shown))
    for number in range(FOLDS):
        learn, ask = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        position, reward, item = slots.position[learn], slots.reward[learn], slots.item[learn]
        size = int(slots.position.max()) + 1
        overall = reward.mean() if len(learn) else 0.0
        places = np.bincount(position, minlength=size)
        by_position = (np.bincount(position, reward, size) + overall) / (places + 1)
        known = item >= 0
        earned = np.bincount(item[known], reward[known], n_items)
        usual = np.bincount(item[known], by_position[position[known]], n_items)
        lift = (earned + PRIOR_REWARD) / (usual + PRIOR_REWARD)
        for values, items in zip(found, shown, strict=True):
            rows = ask[items[ask] >= 0]
            values[rows] = by_position[slots.position[rows]] * lift[items[rows]]
    return found
