"""Stacking hybrid: a scikit-learn learner over member scores, member ranks and the user's history length.

Wolpert, "Stacked generalization", 1992, on pools: gradient-boosted trees learn from validation users which of the
candidates were taken. Features of a candidate: every member's z-score, log(1 + rank), the maximum-likelihood
blend, log(1 + history length); popularity is among the members. When scoring, the learner re-ranks the union of the
members' best N; the rest of the catalogue keeps the blend's order, below.
The fitted trees are stored with skops, which refuses to load anything but the types named here.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.hybrid.base import Combination, as_state, set_above, shares
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.members import Members
from recsys.hybrid.pool import Pool, ranked_scores
from recsys.models.base import State

NEGATIVES = 60
"""Candidates not taken that a user contributes, at random."""
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


class Stacking(Combination):
    """Boosted trees over what the members say."""

    name: ClassVar[str] = "stacking"

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self.size = 100
        self.w: FloatArray = np.ones(len(self.members), np.float32)
        self.learner: HistGradientBoostingClassifier | None = None

    def fit_pool(self, pool: Pool) -> Self:
        """Fit the blend, then the learner on candidates."""
        self.size = pool.size
        self.w = fit_weights(pool, pool.z)
        rng = np.random.default_rng(0)
        draw = rng.random(len(pool.user)) * np.bincount(pool.user)[pool.user] < NEGATIVES
        rows = np.flatnonzero(pool.relevant | draw)
        learner = HistGradientBoostingClassifier(
            max_iter=120, learning_rate=0.06, max_leaf_nodes=12, min_samples_leaf=40, l2_regularization=5.0,
            early_stopping=False, random_state=0,
        )  # fmt: skip
        taken = pool.relevant[rows]
        if taken.any() and not taken.all():
            X = self._features(pool.z[rows], pool.rank[rows], pool.length[pool.user[rows]])
            self.learner = learner.fit(X, taken)
        return self

    def _features(self, z: FloatArray, rank: FloatArray, length: Any) -> FloatArray:
        """[·, 2M + 2] from z [·, M], rank [·, M], length [·]."""
        columns = (z, np.log1p(rank), (z @ self.w)[:, None], np.log1p(length)[:, None])
        return np.concatenate(columns, axis=1, dtype=np.float32)

    def _judge(self, z: FloatArray, rank: FloatArray, length: Any) -> FloatArray:
        """Log-odds [·] of being taken."""
        if self.learner is None or not len(z):
            blend: FloatArray = z @ self.w
            return blend
        return np.asarray(self.learner.decision_function(self._features(z, rank, length)), dtype=np.float32)

    def pool_scores(self, pool: Pool) -> FloatArray:
        """[C]"""
        judged = self._judge(pool.z, pool.rank, pool.length[pool.user])
        # what ties in the trees keeps the blend's order
        return np.asarray(judged + np.float32(1e-4) * (pool.z @ self.w), dtype=np.float32)

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the learner on the union of the members' best, the blend below."""
        z, rank = ranked_scores(self.members, history, self.size)  # each [M, B, n]
        blend = np.tensordot(self.w, z, axes=1).astype(np.float32)
        brought = rank.min(0) < self.size
        user, item = np.nonzero(brought)
        pick = (slice(None), user, item)
        judged = self._judge(z[pick].T, rank[pick].T.astype(np.float32), history.lengths[user])
        scores = np.zeros_like(blend)
        scores[brought] = judged + np.float32(1e-4) * blend[brought]
        return set_above(brought, scores, blend)

    def compact(self) -> "Stacking":
        """Itself: the learner hears every member."""
        return self

    def weights(self) -> dict[str, float]:
        """Shares in the blend that is the learner's strongest feature."""
        return shares(tuple(self.members), self.w)

    def state(self) -> State:
        """The blend, and the trees as skops bytes."""
        import skops.io

        trees = b"" if self.learner is None else skops.io.dumps(self.learner)
        return as_state(size=self.size, w=self.w, trees=np.frombuffer(trees, np.uint8))

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the blend and the trees."""
        import skops.io

        self.size, self.w = int(state["size"]), state["w"]
        trees = state["trees"].tobytes()
        self.learner = skops.io.loads(trees, trusted=TRUSTED) if trees else None
        return self
