"""Lists of peers that score by vectors: ⟨q_u, p_i⟩ + b_i, block by block."""

from collections.abc import Iterator

import numpy as np

from bench.exchange import Task, best_unseen

BLOCK = 500
"""Users scored at a time."""


def lists(task: Task, users: np.ndarray, items: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """[U, DEPTH] int32: the best unseen items for vectors q [n_users, d], p [n_items, d] and biases b [n_items]."""
    log = task.matrix()
    blocks = _scores(task, users, items, biases)
    return np.concatenate([best_unseen(scores, log[rows]) for rows, scores in blocks])


def best_among(
    task: Task, among: np.ndarray, depth: int, users: np.ndarray, items: np.ndarray, biases: np.ndarray
) -> np.ndarray:
    """[U, depth] int32: the best of the item rows `among`, seen or not."""
    blocks = _scores(task, users, items[among], biases[among])
    return np.concatenate([among[np.argsort(-scores, axis=1, kind="stable")[:, :depth]] for _, scores in blocks])


def _scores(
    task: Task, users: np.ndarray, items: np.ndarray, biases: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of users and their scores [B, ·]."""
    for start in range(0, len(task.users), BLOCK):
        rows = task.users[start : start + BLOCK]
        yield rows, users[rows] @ items.T + biases
