"""Calls that no signal cuts in two: Ctrl-C, and Prefect's cancelling, raise wherever the main thread is.

Inside a transaction that leaves the database locked for as long as the process lives: for whoever wants to write down
that it ended, too.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import Final, TypeVar

GRACE: Final = 5.0
"""Seconds that a call has to end when a signal came; a server that does not answer is not waited for longer."""

R = TypeVar("R")


def uncut(call: Callable[[], R]) -> R:
    """What a call returns or raises; what a signal raises meanwhile is raised when the call has ended.

    Python runs the handlers of signals in the main thread, so the call goes on in another.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: Future[R] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon: a call that hangs must not keep the process.
    thread = threading.Thread(target=copy_context().run, args=(run,), name="mlflow", daemon=True)
    try:
        thread.start()
        return outcome.result()
    except BaseException:
        wait([outcome], GRACE)
        raise
