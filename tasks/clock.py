"""Wall time of the process, and how much of it was spent inside the library."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from recsys import tracking

STARTED = time.perf_counter()


class Clock:
    """Seconds of library work by stage; MLflow calls inside a stage are orchestration, not work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(("validate", "preprocess", "train", "hybrid", "promote"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of a block to a stage."""
        begun, mlflow = time.perf_counter(), tracking.seconds_spent()
        try:
            yield
        finally:
            inside_mlflow = tracking.seconds_spent() - mlflow
            self.seconds[name] += time.perf_counter() - begun - inside_mlflow

    def timings(self) -> dict[str, float]:
        """All stages, the total since the process began, and what is left: orchestration."""
        total = time.perf_counter() - STARTED
        return {"total": total, **self.seconds, "orchestration": max(0.0, total - sum(self.seconds.values()))}
