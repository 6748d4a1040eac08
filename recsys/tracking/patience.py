"""What happens while MLflow does not answer: a line every ten seconds, then going on, or an error that says it all.

MLflow's own client would try seven times over four minutes, with warnings of urllib3 that name no server and no end.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from recsys.addresses import masked, without_login
from recsys.errors import InputError
from recsys.tracking.uncut import uncut

log = logging.getLogger("recsys.tracking")

PATIENCE: Final = "RECSYS_MLFLOW_PATIENCE"
"""Seconds to wait for an MLflow server that stops answering in mid-run."""
DEFAULT_PATIENCE: Final = 600.0
BETWEEN_TRIES, BETWEEN_LINES = 1.0, 10.0
"""Seconds."""
QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
"""Set before MLflow is imported, where the user has not decided otherwise."""

CONNECTION = (ConnectionError, TimeoutError, socket.gaierror)
"""What Python itself says of a connection."""

R = TypeVar("R")


class Patient:
    """An object whose methods wait for MLflow as `patiently` does."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        return (lambda *args, **how: patiently(lambda: found(*args, **how))) if callable(found) else found


def patiently(call: Callable[[], R]) -> R:
    """The answer to a call of MLflow; where its server is away, the call is repeated until it is back.

    A server that went away after it had done what was asked does it twice: all that is called here may be. A signal
    is heard when the call that goes on has ended.

    Raises:
        InputError: the server has been away for as long as the patience lasts.
    """
    begun = told = 0.0
    while True:
        try:
            answer = uncut(call)
        except Exception as error:
            reason = absence(error)
            if reason is None:
                raise
            now = time.monotonic()
            begun = begun or now
            if now - begun > patience():
                raise InputError(
                    f"MLflow at {where()} has not answered for {now - begun:.0f} s ({reason}); what was done until now "
                    "is kept: start its server, then do the same again, and it goes on"
                ) from error
            if now - told >= BETWEEN_LINES:
                told = now
                log.warning(
                    "MLflow at %s does not answer (%s): waiting for it, %.0f s of at most %.0f",
                    where(), reason, now - begun, patience(),
                )  # fmt: skip
            time.sleep(BETWEEN_TRIES)
        else:
            if begun:
                log.info("MLflow answers again, after %.0f s: going on", time.monotonic() - begun)
            return answer


def patience() -> float:
    """Seconds to wait.

    Raises:
        InputError: what is set is no number of seconds.
    """
    said = os.environ.get(PATIENCE, "")
    try:
        seconds = float(said or DEFAULT_PATIENCE)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{PATIENCE}: expected seconds, 0 or more; seen {said!r}")
    return seconds


def absence(error: BaseException) -> str | None:
    """Why MLflow could not be asked at all, in a few words; none where it answered, if only to refuse."""
    from mlflow.exceptions import MlflowException
    from urllib3.exceptions import HTTPError, MaxRetryError

    causes = list(_causes(error))
    for one in causes:
        if isinstance(one, HTTPError | ConnectionError):
            # urllib3 passes on as an argument what it did not raise from.
            deeper = [part for cause in causes for part in (cause, *cause.args)]
            said = [part.strerror or str(part) for part in deeper if isinstance(part, CONNECTION)]
            reason = one.reason if isinstance(one, MaxRetryError) and one.reason else one
            return said[-1] if said else str(reason).rpartition(": ")[2]
        # A database whose server is away says so in the same way as one whose disk is full; SQLite has no server.
        if isinstance(one, MlflowException) and one.error_code == "TEMPORARILY_UNAVAILABLE":
            return None if _tracking_uri().startswith("sqlite") else str(one).splitlines()[0]
    return None


def where() -> str:
    """The tracking URI as it may be shown: without a password."""
    return masked(_tracking_uri())


def shown_at(uri: str | None = None) -> str | None:
    """The address of MLflow's pages at a tracking URI, without user and password; none where it names no server.

    Args:
        uri: default: that of the open store.
    """
    uri = _tracking_uri() if uri is None else uri
    return without_login(uri).rstrip("/") if uri.lower().startswith(("http://", "https://")) else None


def _tracking_uri() -> str:
    import mlflow

    return str(mlflow.get_tracking_uri())


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
