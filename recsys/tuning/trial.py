"""One trial: fit, watch, search what acts only when scoring, and say what it was worth. Knows nothing of Optuna."""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from recsys.config import Section
from recsys.data.dataset import Dataset
from recsys.models.base import Candidate, Recommender, State

PATIENCE = 4
"""Validations without a new best after which a training stops."""
VALIDATE_EVERY = 0.2
"""Share of the epochs done so far after which a model is validated again: its best comes after three epochs on one log
and after fifty on another."""

MAXRSS = 2**20 if sys.platform == "darwin" else 2**10
"""Units of `ru_maxrss` in a MiB: bytes on macOS, KiB elsewhere."""

Judge = Callable[[Recommender], float]
"""What a fitted model is worth; larger is better."""

Report = Callable[[float, int], bool]
"""Told the validation metric after an epoch; true: the trial is not worth going on with."""


class TrialRecord(Section):
    """One trial, as it is tracked."""

    number: int
    state: Literal["complete", "pruned"]
    params: dict[str, Any]
    """All parameters of the model, with the best number of epochs and the best scoring parameters."""
    value: float
    curve: list[tuple[int, float]] = Field(default_factory=list)
    """(epoch, validation metric) of models trained in epochs."""
    seconds: float
    memory_mib: float
    """Peak memory of the process so far."""


def run_trial(
    model: Candidate, data: Dataset, judge: Judge, number: int, seconds: float, report: Report
) -> TrialRecord:
    """Fit a model on data and judge it; the model is left as it was best.

    Raises:
        RuntimeError, ArithmeticError, LinAlgError: the fit failed, for instance in a factorisation.
        NotFiniteError: the model diverged.
    """
    begun = time.monotonic()
    curve: list[tuple[int, float]] = []
    pruned = False
    if "epochs" in model.Config.model_fields:
        watch = _Watch(judge, model.config.epochs, begun + seconds, report)
        model.fit(data, watch)  # type: ignore[call-arg]  # a model with epochs is EpochTrained
        value, epoch, state = watch.best
        model.load(state)
        model.config = model.config.model_copy(update={"epochs": epoch})
        curve, pruned = watch.curve, watch.pruned
    else:
        model.fit(data)
        value = judge(model)
    if not pruned:
        value = search_scoring(model, judge, value)
    return TrialRecord(
        number=number,
        state="pruned" if pruned else "complete",
        params=model.config.model_dump(mode="json"),
        value=value,
        curve=curve,
        seconds=round(time.monotonic() - begun, 3),
        memory_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS, 1),
    )


class _Watch:
    """Validates a model while it is trained, keeps its best state, says when to stop."""

    def __init__(self, judge: Judge, epochs: int, deadline: float, report: Report) -> None:
        self.judge, self.deadline, self.report = judge, deadline, report
        self.epochs = epochs
        self.without_best = 0
        self.curve: list[tuple[int, float]] = []
        self.best: tuple[float, int, State] = (-np.inf, 0, {})
        self.pruned = False

    def __call__(self, epoch: int, model: Recommender) -> bool:
        late = time.monotonic() > self.deadline
        if epoch % max(1, int(VALIDATE_EVERY * epoch)) and epoch != self.epochs and not late:
            return False
        value = self.judge(model)
        self.curve.append((epoch, value))
        self.pruned = self.report(value, epoch)
        self.without_best += 1
        if value > self.best[0]:
            self.without_best = 0
            self.best = (value, epoch, {key: np.array(array) for key, array in model.state().items()})
        return late or self.pruned or self.without_best >= PATIENCE


def search_scoring(model: Candidate, judge: Judge, value: float) -> float:
    """Climb along the values of each scoring parameter; the model keeps the best, whose worth is returned."""
    for key, values in model.SCORING.items():
        best, tried = model.config, {getattr(model.config, key)}
        at = _nearest(values, getattr(best, key))
        for walk in (range(at, -1, -1), range(at, len(values))):
            for i in walk:
                if values[i] in tried:
                    continue
                tried.add(values[i])
                model.config = best.model_copy(update={key: values[i]})
                worth = judge(model)
                if worth <= value:
                    break
                best, value = model.config, worth
        model.config = best
    return value


def _nearest(values: tuple[float, ...], value: float) -> int:
    """Position of the value nearest in ratio; 0 stands for infinity."""
    return min(range(len(values)), key=lambda i: abs(np.log((values[i] or 1e3) / (value or 1e3))))
