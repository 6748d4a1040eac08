"""What a flow asks for, on the command line and in the form that Prefect shows: types with limits, and how wrong input
ends a run.

A flow's docstring says what each parameter is; Prefect puts that under its field.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import Field

from recsys.config import Config, load
from recsys.data.atomic import check_writable
from recsys.errors import InputError, full_disk

log = logging.getLogger("recsys.flows")

ENGINE, TASK = "prefect.flow_runs", "prefect.task_runs"
"""Loggers of Prefect."""

P = ParamSpec("P")
R = TypeVar("R")

MOST_ITEMS = 1000
"""Items in one answer."""
LEAST_DAYS, MOST_DAYS = 0.01, 3650.0
"""How far back to look."""

ConfigPath = Annotated[str, Field(min_length=1, examples=["configs/demo.toml"])]
Overrides = Annotated[
    Sequence[Annotated[str, Field(pattern=r"^\s*[\w-]+(\.[\w-]+)*\s*=")]],
    Field(examples=[["tuning.trials=20", "promotion.min_gain=0.001"]]),
]
Folder = Annotated[str | None, Field(examples=["reports/monday"])]
Items = Annotated[int, Field(ge=1, le=MOST_ITEMS)]
ModelUri = Annotated[str | None, Field(examples=["models:/recsys-demo@champion", "models:/recsys-demo/3"])]
Moment = Annotated[str | None, Field(examples=["2026-03-01", "2026-03-01T12:00+01:00"])]
Days = Annotated[float, Field(ge=LEAST_DAYS, le=MOST_DAYS)]


def configured(config: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a training, held against the models and this machine before anything starts.

    Raises:
        InputError: it cannot be read, a value or a model's parameter is wrong, or the device is not there.
    """
    settings = load(config, overrides)
    # Heavy, and the command line answers `--help` at once.
    from recsys.stages.candidates import check, device_of

    check(settings)
    device_of(settings)
    return settings


def report_folder(settings: Config, report: str | Path | None, *below: str) -> Path:
    """Where a report goes when the work is done: the folder asked for, or one of the configuration's in the store.

    Raises:
        InputError: it cannot be written.
    """
    folder = Path(report) if report else Path(settings.store, settings.name, *below)
    check_writable(folder)
    return folder


def answered(body: Callable[P, R]) -> Callable[P, R]:
    """The body of a flow: the first line of a run that failed is the cause, which is raised to a caller as it was.

    Wrong input has no traceback; any other error has one in the log, and its task in the message. A run that a worker
    starts has no command line that lets the library's lines through; this does.
    """

    @functools.wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        logging.getLogger("recsys").setLevel(logging.INFO)
        for name in (ENGINE, TASK):
            logging.getLogger(name).addFilter(_told_once)  # the same function is added once
        try:
            return body(*args, **kwargs)
        except InputError as error:
            return _failed(str(error), error)
        except Exception as error:
            if full := full_disk(error):
                return _failed(str(full), full)
            from prefect.exceptions import MissingContextError
            from prefect.logging import get_run_logger

            with suppress(MissingContextError):  # called as a function
                get_run_logger().error("This run ends with an error that is not yours", exc_info=True)
            where = ", ".join(getattr(error, "__notes__", ()))
            cause = f"{type(error).__name__}: {error}"
            return _failed(f"{cause} ({where})" if where else cause, error)

    return run


def _failed(message: str, error: Exception) -> Any:
    """A state in place of a result: Prefect shows its message, and raises its data to a caller."""
    from prefect.states import Failed

    return Failed(message=message, data=error)


def _told_once(record: logging.LogRecord) -> bool:
    """Wrong input has no traceback on a run page; the engine, which would repeat it as unexpected, is silent."""
    if record.exc_info and isinstance(record.exc_info[1], InputError):
        record.exc_info = None
        return record.name != ENGINE
    return True
