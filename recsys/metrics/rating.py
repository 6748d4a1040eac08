"""Rating metrics: how far predicted ratings are from those given."""

from typing import Any

import numpy as np


def rmse(predicted: Any, actual: Any) -> float:
    """Root of the mean squared error, in units of the rating.

    >>> rmse([3.0, 5.0], [4.0, 5.0])  # sqrt((1 + 0) / 2)
    0.7071067811865476
    """
    return float(np.sqrt(np.mean(_error(predicted, actual) ** 2)))


def mae(predicted: Any, actual: Any) -> float:
    """Mean absolute error, in units of the rating.

    >>> mae([3.0, 5.0], [4.0, 5.0])  # (1 + 0) / 2
    0.5
    """
    return float(np.mean(np.abs(_error(predicted, actual))))


def accuracy(predicted: Any, actual: Any, levels: Any) -> float:
    """Share of ratings hit exactly once a prediction is moved to the nearest level of the scale.

    `levels` are the ratings there are, such as 1, 2, 3, 4, 5; halfway, the lower level is taken.

    >>> accuracy([3.4, 4.6, 2.5], [3, 4, 2], levels=[1, 2, 3, 4, 5])  # 3 = 3, 5 ≠ 4, 2 = 2
    0.6666666666666666
    """
    scale = np.unique(np.asarray(levels, dtype=np.float64))
    halfway = (scale[1:] + scale[:-1]) / 2
    nearest = scale[np.searchsorted(halfway, np.asarray(predicted, dtype=np.float64))]
    return float(np.mean(_error(nearest, actual) == 0))


def _error(predicted: Any, actual: Any) -> "np.ndarray[Any, np.dtype[np.float64]]":
    guess, truth = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if guess.shape != truth.shape or not guess.size:
        raise ValueError(f"one prediction for each of at least one rating; seen {guess.shape=}, {truth.shape=}")
    return guess - truth
