"""The rule by which both sides of a traced comparison stop, and what they bring back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.exchange import DEPTH, Task
from bench.watch import TEST_LISTS, Watch, ndcg
from recsys.data.interactions import Interactions
from recsys.metrics import ranking

HIT, MISS = 1, 2


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Two users who chose item 0 of 30; the sequel adds item 1 for both."""
    user, item = np.array([0, 1], np.int32), np.array([0, 0], np.int32)
    longer = Task(np.repeat(user, 2), np.array([0, 1, 0, 1], np.int32), 2, 30, np.array([1], np.int32))
    longer.write(tmp_path / "sequel.npz")
    params = {"patience": 2, "seconds": 1000.0, "sequel": str(tmp_path / "sequel.npz")}
    return Task(user, item, 2, 30, np.array([0, 1], np.int32), params)


def lists_of(first: int) -> Any:
    """Makes lists that begin with an item."""
    return lambda task: np.tile(np.r_[first, np.arange(3, DEPTH + 2)], (len(task.users), 1))


def test_stops_after_epochs_without_a_new_best_and_gives_back_the_best(task: Task) -> None:
    watch = Watch(task)
    state = {"epoch": np.array(0)}
    stops = []
    for epoch, first in enumerate((MISS, HIT, HIT, MISS), start=1):
        state["epoch"][...] = epoch  # the state of a training changes in place
        stops.append(watch.epoch(lists_of(first), lambda: state))
    restored: list[dict[str, np.ndarray]] = []
    fit = watch.fit(lists_of(7), restored.append, "numpy")
    assert stops == [False, False, False, True]
    assert restored[0]["epoch"] == 2
    assert fit.labels[0] == {"epoch": 1}
    assert fit.labels[-1] == {"epoch": 4, "cut": False}
    assert fit.extra[TEST_LISTS].shape == (1, DEPTH)


def test_stops_when_the_seconds_are_used_up(task: Task) -> None:
    task.params["seconds"] = 0.0
    watch = Watch(task)
    assert watch.epoch(lists_of(HIT), dict)
    assert watch.fit(lists_of(HIT), lambda state: None).labels == [{"epoch": 1, "cut": True}]


def test_ndcg_is_the_evaluator_s() -> None:
    rng = np.random.default_rng(0)
    truth = Interactions.build(np.repeat(np.arange(40), 3), rng.integers(0, 25, 120), n_users=40, n_items=25)
    top = np.argsort(rng.random((40, 25)), axis=1)[:, :10].astype(np.int32)
    top[:, 7:] = -1
    expected = ranking.ndcg(*ranking.relevance(top, truth)).mean()
    binary = (truth.matrix() > 0).astype(np.float32)
    assert ndcg(top, binary) == pytest.approx(expected, rel=1e-12)
