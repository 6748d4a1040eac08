"""The same metrics where it matters who is asked: cold, warm and hot users; head and tail items."""

import numpy as np

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.data.schema import BoolArray, IntArray
from recsys.metrics.evaluation import Evaluation
from recsys.metrics.ranking import PerUser, ndcg, relevance

USER_SEGMENTS = ("cold", "warm", "hot")
"""0, 1 to 4, and 5 or more events in the history."""

HEAD_SHARE = 0.8
"""Share of training events that the head items make up."""

Segment = dict[str, float]
"""Means over the users of a segment, and `users`, how many they are; no means where there are none."""


def user_segments(history: Interactions) -> IntArray:
    """[U] int64: place of each user's segment in `USER_SEGMENTS`.

    >>> user_segments(Interactions.of_histories([[], [0], [0, 1, 2, 3], [0, 1, 2, 3, 4]], n_items=5)).tolist()
    [0, 1, 1, 2]
    """
    return np.digitize(history.lengths, [1, 5]).astype(np.int64)


def head_items(train: Interactions) -> BoolArray:
    """[n_items] bool: the fewest most popular items that make up `HEAD_SHARE` of the events; the rest is tail.

    >>> head_items(Interactions.of_histories([[0, 0, 0, 0, 0, 0, 2, 2, 1, 3]], n_items=5)).tolist()
    [True, False, True, False, False]
    """
    count = np.bincount(train.item, minlength=train.n_items)
    order = np.argsort(-count, kind="stable")
    before = np.cumsum(count[order]) - count[order]
    head = np.zeros(train.n_items, dtype=np.bool_)
    head[order] = before < HEAD_SHARE * len(train)
    return head


def segments(evaluation: Evaluation, holdout: Holdout, train: Interactions) -> dict[str, Segment]:
    """Metrics by segment.

    Args:
        evaluation: of a model on `holdout`.
        holdout: the users who were judged.
        train: what the model was fitted on; decides which items are head and which tail.

    Returns:
        cold, warm, hot: means of every per-user metric over the users of that history length.
        head, tail: ndcg with only the truth items of that group counted as relevant, over the users who have any;
            the lists are those of the evaluation, never filtered.
    """
    judged = holdout.select(evaluation.users)
    label = user_segments(judged.history)
    found = {name: _means(evaluation, label == number) for number, name in enumerate(USER_SEGMENTS)}
    for name, values in item_segments(evaluation, holdout, train).items():
        has_any = ~np.isnan(values)
        found[name] = {"users": int(has_any.sum())}
        if has_any.any():
            found[name][f"ndcg@{evaluation.k}"] = float(values[has_any].mean())
    return found


def item_segments(evaluation: Evaluation, holdout: Holdout, train: Interactions) -> dict[str, PerUser]:
    """ndcg@k [U] of each judged user with only the head, or only the tail, of the truth counted as relevant.

    NaN for a user whose truth has nothing of the group. Arguments are those of `segments`.
    """
    truth, is_head = holdout.select(evaluation.users).truth, head_items(train)
    found = {}
    for name, group in (("head", is_head), ("tail", ~is_head)):
        hits, n_relevant = relevance(evaluation.lists, truth.where(group[truth.item]))
        has_any = n_relevant > 0
        found[name] = np.full(len(has_any), np.nan)
        found[name][has_any] = ndcg(hits[has_any], n_relevant[has_any])
    return found


def _means(evaluation: Evaluation, chosen: BoolArray) -> Segment:
    means: Segment = {"users": int(chosen.sum())}
    if chosen.any():
        means |= {metric: float(values[chosen].mean()) for metric, values in evaluation.per_user.items()}
    return means
