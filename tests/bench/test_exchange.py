"""What goes to a fit and what comes back: written and read again, measured while the watch runs."""

import time

import numpy as np
import pytest
from scipy import sparse

from bench.exchange import DEPTH, Fit, Stopwatch, Task, best_unseen, padded


@pytest.fixture
def task():
    """User 0 met items 2 and 0, user 2 met item 1; lists are for users 0 and 2."""
    attributes = sparse.csr_matrix(np.array([[1, 0], [0, 1], [1, 1]], np.float32))
    rows = {"user": np.array([0, 0, 2], np.int32), "item": np.array([2, 0, 1], np.int32)}
    params, time = {"config": {"factors": 2}}, np.array([30, 40, 10])
    return Task(
        **rows, n_users=3, n_items=3, users=np.array([0, 2]), params=params, item_features=attributes, time=time
    )


def test_a_task_comes_back_as_it_went(task, tmp_path):
    task.write(tmp_path / "in.npz")
    back = Task.read(tmp_path / "in.npz")
    for name in ("user", "item", "users", "time"):
        np.testing.assert_array_equal(getattr(back, name), getattr(task, name))
    assert (back.n_users, back.n_items, back.params, back.threads) == (3, 3, {"config": {"factors": 2}}, 1)
    assert back.item_features.toarray().tolist() == [[1, 0], [0, 1], [1, 1]]
    assert back.user_features is None


def test_a_task_as_a_matrix(task):
    assert task.matrix().toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_a_sample_holds_the_first_users(task):
    sample = task.sample(users=2)
    assert sample.matrix().toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert sample.time.tolist() == [30, 40]


def test_a_fit_comes_back_as_it_went(tmp_path):
    top = np.zeros((2, 1, DEPTH), np.int32)
    Fit(np.array([0.5, 1.5]), top, [{"epoch": 1}, {}], 3.5, {"numpy": "2"}, {"scores": np.ones((1, 3))}).write(
        tmp_path / "out.npz"
    )
    back = Fit.read(tmp_path / "out.npz")
    assert back.seconds.tolist() == [0.5, 1.5]
    assert (back.labels, back.memory_mib, back.versions) == ([{"epoch": 1}, {}], 3.5, {"numpy": "2"})
    assert back.top.shape == (2, 1, DEPTH)
    assert back.extra["scores"].tolist() == [[1, 1, 1]]


def test_lists_cost_neither_time_nor_memory():
    def lists():
        time.sleep(0.5)
        return padded(np.ones((50_000_000, 1), np.int8)[:1])  # 48 MiB

    watch = Stopwatch()
    for epoch in (1, 2):
        watch.checkpoint(lists, epoch=epoch)
    fit = watch.fit("numpy")
    assert fit.seconds[1] < 0.5
    assert fit.memory_mib < 40
    assert fit.labels == [{"epoch": 1}, {"epoch": 2}]


def test_what_a_fit_allocates_counts_though_it_is_freed():
    watch = Stopwatch()
    np.ones(50_000_000, np.int8)  # 48 MiB
    watch.checkpoint(lambda: np.zeros((1, DEPTH)))
    assert 40 < watch.fit().memory_mib < 80


def test_the_best_unseen_items_in_order():
    seen = sparse.csr_matrix(np.array([[0, 1, 0], [1, 1, 1]]))
    scores = np.array([[1.0, 9.0, 2.0], [3.0, 2.0, 1.0]])
    top = best_unseen(scores, seen)
    assert top.shape == (2, DEPTH)
    assert top[:, :3].tolist() == [[2, 0, -1], [-1, -1, -1]]
    assert (top[:, 3:] == -1).all()
