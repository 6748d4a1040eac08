"""Members of a hybrid on one scale: per-user standardised scores."""

from collections.abc import Iterator, Mapping

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.models.base import Recommender

Members = Mapping[str, Recommender]


def standardise(scores: FloatArray, history: Interactions) -> FloatArray:
    """Scores [B, n] → mean 0, standard deviation 1 over each user's unseen items; a constant row becomes 0.

    Members score on scales of their own (a count, a logit, a reconstruction); a user's row of z-scores is what
    they share. The input is overwritten.
    """
    seen = (history.user, history.item)
    keep = scores[seen]
    scores[seen] = 0.0
    unseen = np.maximum(history.n_items - history.lengths, 1)[:, None]  # pairs are distinct in a history
    mean = scores.sum(1, keepdims=True, dtype=np.float64) / unseen
    square = np.einsum("bi,bi->b", scores, scores, dtype=np.float64)[:, None] / unseen
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    scores[seen] = keep
    constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    scores -= mean.astype(np.float32)
    scores *= np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation)).astype(np.float32)
    return scores


def each_standard(members: Members, history: Interactions) -> Iterator[FloatArray]:
    """Every member's standardised scores [B, n] in turn, in the order of `members`; the caller may overwrite them."""
    for member in members.values():
        yield standardise(member.score(history), history)


def standard_scores(members: Members, history: Interactions) -> FloatArray:
    """[M, B, n] float32: every member's standardised scores, in the order of `members`."""
    return np.stack(list(each_standard(members, history)))
