"""How every task is made: no cache of Prefect's, a name, a time limit, and another try where that can help."""

import functools
import logging
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.states import State

from recsys.config import Config
from recsys.errors import UnavailableError

log = logging.getLogger("recsys.tasks")

BRIEF, LONG = 3600.0, 12 * 3600.0
"""Seconds after which a task is ended: bookkeeping, which may have to wait for MLflow, and work on all the data. They
are there for what hangs; `tuning.timeout` is what bounds a search."""
TRIES: Final = 3
PAUSE: Final = 20.0
"""Seconds between tries."""

P = ParamSpec("P")
R = TypeVar("R")


def step(name: str, *, seconds: float = BRIEF) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A task that is called `name` on a run page and may last so many seconds.

    A stage finds the results of earlier runs by itself, and Prefect's cache would hash every frame it is given. Wrong
    input stays wrong and a fault stays a fault, so that only what did not answer is asked again.

    Args:
        name: may hold arguments of the task, as in `train {name}`.
        seconds: after which it is ended.
    """
    return functools.partial(  # type: ignore[return-value]  # it forgets the overloads of `task`
        task,
        cache_policy=NO_CACHE,
        task_run_name=name,
        timeout_seconds=seconds,
        retries=TRIES - 1,
        retry_delay_seconds=PAUSE,
        retry_condition_fn=_can_help,
        on_failure=[_say_where],
    )


def searching(made: Task[P, R], config: Config) -> Task[P, R]:
    """A task that searches, which may last as long as all searches of a configuration may, and then some."""
    return made.with_options(timeout_seconds=config.tuning.timeout + LONG)


def _can_help(_: Task[..., Any], run: TaskRun, state: State) -> bool:
    error = state.result(raise_on_failure=False)
    if not isinstance(error, UnavailableError):
        return False
    log.warning("%s: %s; another try in %.0f s", run.name, error, PAUSE)
    return True


def _say_where(_: Task[..., Any], run: TaskRun, state: State) -> None:
    """The flow, which ends with the same error, tells in which task it was raised."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, BaseException):
        error.add_note(f"in task {run.name}")
