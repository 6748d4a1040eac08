"""The same search for both sides: so many trials of Optuna's TPE, the first at the side's own defaults."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from recsys.models.base import Range


@dataclass(frozen=True)
class Found:
    """Parameters and what they were worth."""

    params: dict[str, Any]
    value: float


def search(
    trials: int,
    space: Mapping[str, Range],
    first: Mapping[str, Any],
    judge: Callable[[dict[str, Any]], list[Found]],
) -> list[Found]:
    """Maximise over a space.

    Args:
        trials: how many.
        space: what varies.
        first: parameters of the first trial.
        judge: fits once, and says what was found on the way: the parameters with those that cost no fit of their own,
            such as the number of epochs.

    Returns:
        All that was found, in order.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=4, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(dict(first))
    everything = []
    for _ in range(trials):
        trial = study.ask()
        found = judge({name: _suggest(trial, name, given) for name, given in space.items()})
        study.tell(trial, best(found).value)
        everything += found
    return everything


def best(found: Iterable[Found]) -> Found:
    """The one worth most; the earlier of two alike."""
    return max(found, key=lambda one: one.value)


def _suggest(trial: optuna.Trial, name: str, given: Range) -> float:
    if given.integer:
        return trial.suggest_int(name, int(given.low), int(given.high), log=given.log)
    return trial.suggest_float(name, given.low, given.high, log=given.log)
