"""Recommend for all users: score a block of histories, keep the best unseen items, go on to the next block.

Evaluation, serving and batch answers all rank here, so that a user is served what the model was judged by.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray, RowArray
from recsys.metrics.top_k import top_k

BLOCK_BYTES = 48 << 20
"""Memory for the scores of the users ranked at a time. Small on purpose: a matrix of up to 32 MiB is used again by the
next block, larger ones go back to the system each time, and taking them anew costs half as much as filling them."""

COPIES = 3
"""Score matrices that a block takes: the model's, one it worked on, and the gap that one before left in the heap."""


class NotFiniteError(ValueError):
    """A model gave scores that are no numbers, as one that diverged does."""


class Scorer(Protocol):
    """The part of a recommender that ranking needs."""

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items] float32 for the B users of `history`, finite; the caller may overwrite it."""
        ...


def recommend(
    model: Scorer,
    history: Interactions,
    k: int,
    *,
    exclude_seen: bool = True,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> tuple[RowArray, FloatArray]:
    """The k best items of every user, best first.

    Args:
        model: whatever scores histories.
        history: of U users.
        k: length of a list, at least 1.
        exclude_seen: leave out the items of each history.
        seed: of the ties between equal scores.
        block_bytes: memory for scores; decides how many users are scored at a time, never the outcome.

    Returns:
        items [U, k] int32 and their scores [U, k] float32; -1 and -inf where nothing is left to recommend.

    Raises:
        NotFiniteError: the model's scores are not finite.
        ValueError: they are of another shape.
    """
    name = getattr(model, "name", type(model).__name__)
    items, scores = np.empty((history.n_users, k), np.int32), np.empty((history.n_users, k), np.float32)
    for users in blocks(history.n_users, history.n_items, block_bytes):
        found = best_items(name, model, history.select(users), k, exclude_seen=exclude_seen, seed=seed)
        items[users], scores[users] = found
    return items, scores


def blocks(n_users: int, n_items: int, block_bytes: int = BLOCK_BYTES) -> Iterator[IntArray]:
    """Users 0 to n_users - 1 in turn, as many at a time as `block_bytes` holds scores of; one at least."""
    size = max(1, block_bytes // (COPIES * 4 * n_items))
    for start in range(0, n_users, size):
        yield np.arange(start, min(start + size, n_users))


def best_items(
    name: str, model: Scorer, history: Interactions, k: int, *, exclude_seen: bool = True, seed: int = 0
) -> tuple[RowArray, FloatArray]:
    """`recommend` for a single block; errors call the model by `name`."""
    scores = model.score(history)
    _check(name, scores, history)
    return top_k(scores, history if exclude_seen else None, k, seed=seed)


def _check(name: str, scores: FloatArray, history: Interactions) -> None:
    if scores.shape != (history.n_users, history.n_items):
        raise ValueError(f"{name} scored {scores.shape} for {history.n_users} users × {history.n_items} items")
    # NaN and infinity show in a row's sum, which takes a fifth of the time of a look at every score.
    with np.errstate(invalid="ignore", over="ignore"):
        sums = scores @ np.ones(scores.shape[1], np.float32)
    wrong = 0 if np.isfinite(sums).all() else int((~np.isfinite(scores)).sum())
    if wrong:
        raise NotFiniteError(
            f"{name} gave {wrong} scores that are not finite, of {scores.size}; every score must be finite"
        )
