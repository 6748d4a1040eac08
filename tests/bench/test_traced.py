"""Traces of both sides: the peer's best settings are kept, time is taken at its quality, nothing is fitted twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import results, traced
from bench.exchange import DEPTH, Fit, Task
from bench.results import Options
from bench.sets import Part
from bench.traced import Contest
from bench.watch import TEST_LISTS
from recsys.data.dataset import Dataset, Holdout
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions

CONTEST = Contest(
    "sasrec", "rectools_sasrec", lambda name: [{"width": 1, "patience": 9}, {"width": 2, "patience": 9}], 0.5
)


@pytest.fixture
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Fits that were started: [params]. One user, whose next item is 1; ours is right from second 2, the peer at 10."""
    history, truth = (Interactions.build(np.array([0]), np.array([i]), n_users=1, n_items=30) for i in (0, 1))
    data = Dataset(history, IdMap(np.arange(1)), IdMap(np.arange(30)), None, (), ())
    part = Part(data, np.array([0]), Holdout(history, truth))
    started: list[Any] = []

    def fit(task: Task, seconds: tuple[float, ...], rank: int) -> Fit:
        started.append(task.params)
        right, wrong = np.full((2, 1, DEPTH), 9, np.int32)
        right[0, rank] = 1
        labels = [{"epoch": epoch} for epoch in range(1, len(seconds) + 1)]
        labels[-1]["cut"] = False
        top = np.stack([wrong, *[right] * (len(seconds) - 1)])
        return Fit(np.array(seconds), top, labels, 1.0, {"numpy": "1"}, {TEST_LISTS: right})

    monkeypatch.setattr(traced, "fit_ours", lambda task, module: fit(task, (1.0, 2.0, 3.0), 0))
    monkeypatch.setattr(traced, "fit_peer", lambda name, task: fit(task, (5.0, 10.0), 3 - task.params["width"]))
    monkeypatch.setattr(traced.sets, "load", lambda name: None)
    for name in ("validation", "test"):
        monkeypatch.setattr(traced.sets, name, lambda split: part)
    monkeypatch.setattr(traced, "TRACES", tmp_path / "traces")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    return started


def test_figures(fits: list[Any]) -> None:
    found = traced.measure(CONTEST, "tiny", Options(runs=2))
    test, time, *_ = found.figures
    assert found.raw["peer's settings"]["width"] == 2  # its item stands at rank 1, that of width 1 at rank 2
    assert [params.get("width") for params in fits] == [None, 1, 2, None, 2]
    assert (time.ours, time.peer, time.met) == ([2.0, 2.0], [10.0, 10.0], True)
    assert test.ours == [1.0, 1.0]
    assert test.peer == pytest.approx([1 / np.log2(3)] * 2)


def test_an_interrupted_measurement_goes_on_and_a_finished_one_begins_again(fits: list[Any]) -> None:
    traced.measure(CONTEST, "tiny", Options(runs=1))
    del fits[:]
    found = traced.measure(CONTEST, "tiny", Options(runs=2))
    assert [params["seed"] for params in fits] == [1, 1]
    results.save(found, Options())
    del fits[:]
    traced.measure(CONTEST, "tiny", Options(runs=1))
    assert len(fits) == 3
