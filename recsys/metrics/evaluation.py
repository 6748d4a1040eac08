"""Judge a model on a holdout: full ranking over the catalogue, seen items removed, every metric per user."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.data.schema import IntArray, RowArray
from recsys.metrics import beyond_accuracy, ranking
from recsys.metrics.ranking import PerUser
from recsys.metrics.recommend import BLOCK_BYTES, Scorer, best_items, blocks

Progress = Callable[[int, int], None]
"""Called with the users judged so far and the users in all."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model was worth to each of U users. Evaluations on one holdout can be compared user by user."""

    k: int
    users: IntArray
    """[U] rows of the holdout that were judged: those whose truth is not empty."""
    per_user: dict[str, PerUser]
    """metric@k -> [U]."""
    aggregate: dict[str, float]
    """Means of the per-user metrics, and coverage@k and gini@k of all lists together."""
    top: RowArray
    """[U, 2k] int32 recommended items by rank, -1 = none."""

    @property
    def lists(self) -> RowArray:
        """[U, k]: the first k of `top`."""
        return self.top[:, : self.k]


def evaluate(
    model: Scorer,
    holdout: Holdout,
    train: Interactions,
    *,
    k: int = 10,
    item_features: sparse.csr_matrix | None = None,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress | None = None,
) -> Evaluation:
    """Score, rank and judge the users of a holdout.

    Args:
        model: whatever scores histories.
        holdout: whom to judge; users without truth are left out.
        train: what the model was fitted on; gives the popularity of items.
        k: length of a list; ndcg and recall are also taken at 2k.
        item_features: [n_items, d], for diversity; without, items are alike when the same users chose them.
        seed: of the ties between equal scores.
        block_bytes: memory for scores; decides how many users are scored at a time, never the outcome.
        progress: told after each block.

    Raises:
        ValueError: no user has truth, or the model's scores are not finite or of another shape.
    """
    options: dict[str, Any] = {"k": k, "item_features": item_features, "seed": seed}
    name = getattr(model, "name", type(model).__name__)
    only = {name: model}
    return evaluate_all(only, holdout, train, **options, block_bytes=block_bytes, progress=progress)[name]


def evaluate_all(
    models: Mapping[str, Scorer],
    holdout: Holdout,
    train: Interactions,
    *,
    k: int = 10,
    item_features: sparse.csr_matrix | None = None,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress | None = None,
) -> dict[str, Evaluation]:
    """Judge several models on the same users, block by block, as `evaluate` judges one.

    All models score a block before the next one is looked at, so that hybrids can share what their members said.
    """
    users = _judged(holdout)
    popularity = np.bincount(train.item, minlength=train.n_items).astype(np.int64)
    vectors = beyond_accuracy.item_vectors(train, item_features, seed)
    parts: dict[str, list[tuple[RowArray, dict[str, PerUser]]]] = {name: [] for name in models}
    for part, tops in _ranked(models, holdout, users, 2 * k, seed, block_bytes, progress):
        for name, top in tops.items():
            parts[name].append((top, _per_user(top, part, popularity, vectors, k)))
    return {name: _evaluation(k, users, of_model, train.n_items) for name, of_model in parts.items()}


def _evaluation(
    k: int, users: IntArray, parts: Sequence[tuple[RowArray, dict[str, PerUser]]], n_items: int
) -> Evaluation:
    top = np.concatenate([items for items, _ in parts])
    per_user = {name: np.concatenate([values[name] for _, values in parts]) for name in parts[0][1]}
    exposed = beyond_accuracy.exposure(top[:, :k], n_items)
    aggregate = {name: float(values.mean()) for name, values in per_user.items()} | {
        f"coverage@{k}": beyond_accuracy.coverage(exposed),
        f"gini@{k}": beyond_accuracy.gini(exposed),
    }
    return Evaluation(k, users, per_user, aggregate, top)


def score_metric(
    model: Scorer, holdout: Holdout, metric: str, *, seed: int = 0, block_bytes: int = BLOCK_BYTES
) -> float:
    """Mean of one ranking metric, `name@k`: what a tuning trial asks for.

    Raises:
        InputError: there is no such metric.
        ValueError: as for `evaluate`.
    """
    judge, k = ranking.parse(metric)
    name = getattr(model, "name", type(model).__name__)
    ranked = _ranked({name: model}, holdout, _judged(holdout), k, seed, block_bytes, None)
    values = [judge(*ranking.relevance(tops[name], part.truth)) for part, tops in ranked]
    return float(np.concatenate(values).mean())


def _per_user(
    top: RowArray, part: Holdout, popularity: IntArray, vectors: sparse.csr_matrix, k: int
) -> dict[str, PerUser]:
    hits, n_relevant = ranking.relevance(top, part.truth)
    first_hits, first = hits[:, :k], top[:, :k]
    expected = beyond_accuracy.expected(first, part.history, popularity)
    return {f"{name}@{k}": metric(first_hits, n_relevant) for name, metric in ranking.METRICS.items()} | {
        f"ndcg@{2 * k}": ranking.ndcg(hits, n_relevant),
        f"recall@{2 * k}": ranking.recall(hits, n_relevant),
        f"novelty@{k}": beyond_accuracy.novelty(first, popularity),
        f"diversity@{k}": beyond_accuracy.diversity(first, vectors),
        f"serendipity@{k}": beyond_accuracy.serendipity(first_hits, expected),
    }


def _judged(holdout: Holdout) -> IntArray:
    users = np.flatnonzero(holdout.truth.lengths)
    if not len(users):
        raise ValueError(f"none of the {len(holdout)} users of the holdout has anything in its truth to be judged by")
    return users


def _ranked(
    models: Mapping[str, Scorer],
    holdout: Holdout,
    users: IntArray,
    depth: int,
    seed: int,
    block_bytes: int,
    progress: Progress | None,
) -> Iterator[tuple[Holdout, dict[str, RowArray]]]:
    """Blocks of users with every model's best items, [B, depth]."""
    for rows in blocks(len(users), holdout.history.n_items, block_bytes):
        part = holdout.select(users[rows])
        tops = {name: best_items(name, model, part.history, depth, seed=seed)[0] for name, model in models.items()}
        yield part, tops
        if progress is not None:
            progress(int(rows[-1]) + 1, len(users))
