"""What lists are worth: by the product's evaluator, whoever made them."""

from collections.abc import Callable

import numpy as np

from bench.exchange import Fit, Labels
from recsys.data.dataset import Holdout
from recsys.metrics.ranking import PerUser, parse, relevance

METRIC = "ndcg@10"


def per_user(top: np.ndarray, holdout: Holdout, metric: str = METRIC) -> PerUser:
    """[U] float64: the metric of each user's list."""
    judge, k = parse(metric)
    hits, n_relevant = relevance(top[:, :k], holdout.truth)
    return judge(hits, n_relevant)


def quality(top: np.ndarray, holdout: Holdout, metric: str = METRIC) -> float:
    """Mean of the metric over users."""
    return float(per_user(top, holdout, metric).mean())


def curve(fit: Fit, holdout: Holdout, metric: str = METRIC) -> list[tuple[float, float, Labels]]:
    """(seconds, quality, labels) of each checkpoint."""
    values = [quality(top, holdout, metric) for top in fit.top]
    return list(zip(map(float, fit.seconds), values, fit.labels, strict=True))


def seconds_to(
    target: float, trace: list[tuple[float, float, Labels]], where: Callable[[Labels], bool] = lambda labels: True
) -> float:
    """Seconds at which a curve first reaches a quality; infinity if it never does."""
    return min((seconds for seconds, value, labels in trace if value >= target and where(labels)), default=float("inf"))
