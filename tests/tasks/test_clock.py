"""The clock of a run: library work by stage, and what is left."""

import threading
import time

import pytest

from recsys import tracking
from tasks.clock import Clock


def test_stages_add_up_and_the_rest_is_orchestration():
    clock = Clock()
    for _ in range(2):
        with clock.stage("train"):
            time.sleep(0.02)
    timings = clock.timings()
    assert list(timings) == ["total", "validate", "preprocess", "train", "hybrid", "promote", "orchestration"]
    assert timings["train"] >= 0.04
    assert timings["validate"] == 0.0
    assert timings["orchestration"] == pytest.approx(timings["total"] - timings["train"])


def test_mlflow_inside_a_stage_is_orchestration():
    clock, before, begun = Clock(), tracking.seconds_spent(), time.perf_counter()
    with clock.stage("promote"), tracking.counted():
        time.sleep(0.2)
    whole, inside = time.perf_counter() - begun, tracking.seconds_spent() - before
    assert inside >= 0.2
    assert clock.seconds["promote"] <= whole - inside + 1e-6


def test_mlflow_in_another_thread_takes_nothing_from_a_stage():
    def wait() -> None:
        with tracking.counted():
            time.sleep(0.1)

    clock, threads = Clock(), [threading.Thread(target=wait) for _ in range(5)]
    with clock.stage("train"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert clock.seconds["train"] >= 0.1


def test_a_stage_that_fails_took_its_time():
    clock = Clock()

    @clock.stage("hybrid")
    def fails():
        time.sleep(0.02)
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        fails()
    assert clock.seconds["hybrid"] >= 0.02
