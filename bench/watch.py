"""Watches a training in epochs, ours or a peer's: lists after each, when to stop, the best one's lists for the test."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from bench.exchange import Fit, Stopwatch, Task

K = 10
TEST_LISTS = "test_lists"
"""Name, in what comes back, of the lists [V, DEPTH] that the best epoch made for the sequel."""

Lists = Callable[[Task], np.ndarray]
"""Makes the lists [U, DEPTH] of a task's users, each from what the task's log holds of the user."""


class Watch:
    """The same rule for both sides; the fit begins when it is made.

    `task.params` holds: `patience`, epochs without a new best after which a training stops; `seconds`, after which
    it stops in any case; `sequel`, the path of a task whose log goes on where this one's ends. What the sequel adds
    is the truth that epochs are compared by; its own users get lists of the best epoch, from the longer log.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.sequel = task, Task.read(Path(task.params["sequel"]))
        self._truth = (self.sequel.matrix() - task.matrix())[task.users]
        self._truth.eliminate_zeros()
        self._best, self._best_epoch, self._state = -1.0, 0, None
        self._stopwatch = Stopwatch()

    def epoch(self, lists: Lists, state: Callable[[], Any]) -> bool:
        """Note an epoch, and keep a copy of `state()` where it is the best so far; true: stop."""
        epoch = len(self._stopwatch.labels) + 1

        def judged() -> np.ndarray:
            top = lists(self.task)
            value = ndcg(top[:, :K], self._truth)
            if value > self._best:
                self._best, self._best_epoch, self._state = value, epoch, deepcopy(state())
            return top

        self._stopwatch.checkpoint(judged, epoch=epoch)
        waited = epoch - self._best_epoch
        return self.late or bool(waited >= self.task.params["patience"])

    def worth(self, lists: Lists) -> float:
        """What the model is worth now, beside the epochs."""
        return ndcg(lists(self.task)[:, :K], self._truth)

    @property
    def late(self) -> bool:
        """Whether the fit has used up its seconds."""
        return bool(self._stopwatch.elapsed >= self.task.params["seconds"])

    def fit(self, lists: Lists, restore: Callable[[Any], Any], *packages: str) -> Fit:
        """All epochs, and the best one's lists for the sequel: `restore` takes its state back."""
        cut = self.late
        restore(self._state)
        fit = self._stopwatch.fit(*packages, **{TEST_LISTS: lists(self.sequel)})
        fit.labels[-1]["cut"] = cut
        return fit


def ndcg(top: np.ndarray, truth: sparse.csr_matrix) -> float:
    """Mean ndcg@k of lists [U, k] over the users whose row of truth [U, n_items] is not empty.

    Only decides when a training stops; peers cannot import the evaluator, by which every figure is taken.
    """
    discount = 1 / np.log2(np.arange(2, top.shape[1] + 2))
    hits = truth[np.arange(len(top))[:, None], np.maximum(top, 0)].toarray() * (top >= 0)
    relevant = np.diff(truth.indptr)
    ideal = np.cumsum(discount)[np.minimum(relevant, top.shape[1]) - 1]
    return float(((hits * discount).sum(1) / ideal)[relevant > 0].mean())
