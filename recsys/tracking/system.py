"""The load of the machine while a run goes on: processors, memory, disk, network, and the GPU where there is one."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from recsys.tracking.runs import Run
from recsys.tracking.store import client, counted

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

BETWEEN_SAMPLES: Final = 10.0
"""Seconds."""


@contextmanager
def watched(run: Run) -> Iterator[None]:
    """Log the load to a run, as `system/…`, while a block goes on; nothing where psutil is not installed.

    MLflow's own monitor would end for good at the first call that its server does not answer.
    """
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run.id)
    except ImportError:
        yield
        return
    with counted():
        begun = client().get_run(run.id).info.start_time / 1000
    over = threading.Event()
    # A daemon: a call that hangs must not keep the process.
    watch = threading.Thread(target=_watch, args=(run, monitor, begun, over), name="system metrics", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join(BETWEEN_SAMPLES)


def _watch(run: Run, monitor: "SystemMetricsMonitor", begun: float, over: threading.Event) -> None:
    monitor.collect_metrics()  # what follows counts from the call before
    _take(monitor)
    is_over = False
    while not is_over:
        is_over = over.wait(BETWEEN_SAMPLES)
        monitor.collect_metrics()
        _send(run, _take(monitor), time.time(), begun)


def _take(monitor: "SystemMetricsMonitor") -> dict[str, float]:
    sample: dict[str, float] = monitor.aggregate_metrics()
    for part in monitor.monitors:
        part.clear_metrics()
    return sample


def _send(run: Run, sample: dict[str, float], now: float, begun: float) -> None:
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    values = [Metric(f"system/{name}", value, int(now * 1000), int(now - begun)) for name, value in sample.items()]
    # A sample more or less is not worth waiting for.
    with suppress(MlflowException):
        client(patient=False).log_batch(run.id, values)
