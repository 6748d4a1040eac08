"""What the gate looks at: both sides on the frozen test users, what the challenger costs, what logged answers say."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.data.schema import IntArray
from recsys.metrics.evaluation import Evaluation
from recsys.metrics.off_policy import Comparison
from recsys.metrics.ranking import PerUser
from recsys.metrics.segments import USER_SEGMENTS, item_segments, user_segments

METRIC = "ndcg@10"
COLD = USER_SEGMENTS.index("cold")


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared, as measured on the frozen test users."""

    name: str
    """As it stands in the reasons, such as `champion v3`."""
    ndcg: PerUser
    """[U] ndcg@10; both sides have the same users in the same order."""
    coverage: float
    """coverage@10."""
    cold: PerUser
    """[C] ndcg@10 of the cold users among them; empty where the test has none."""
    tail: PerUser
    """[T] ndcg@10 counted on tail items only, of the users who took any; empty where nobody did."""

    @classmethod
    def of(cls, name: str, evaluation: Evaluation, holdout: Holdout, train: Interactions) -> "Side":
        """Take what the gate needs from an evaluation with k = 10 on a holdout, of models fitted on `train`."""
        ndcg = evaluation.per_user[METRIC]
        is_cold = user_segments(holdout.select(evaluation.users).history) == COLD
        tail = item_segments(evaluation, holdout, train)["tail"]
        return cls(name, ndcg, evaluation.aggregate["coverage@10"], ndcg[is_cold], tail[~np.isnan(tail)])


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
    """Arrays of the challenger, MiB."""
    strata: IntArray | None = None
    """[U] segment of each user (`segments.user_segments`), within which the bootstrap resamples."""
    refresh: bool = False
    """Whether the challenger is what the champion was, trained on newer data, and not a new idea."""
    lost: float = 0.0
    """What the champion and those before it have lost since a gain was last proven: its `Verdict.lost`."""
    off_policy: Comparison | None = None
    """Of challenger and champion on logged answers; none where no propensities were logged."""
