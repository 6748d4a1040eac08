"""What a command does before a flow: settings, a store, progress on stderr."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flows.server import check_mlflow, check_server
from recsys import config as configuration
from recsys.data.atomic import check_room, make_store
from recsys.errors import InputError
from tasks.settings import settle, settle_terminal

if TYPE_CHECKING:
    from recsys.config import Config


@contextmanager
def started(config: "Config", *, tracked: bool = True) -> Iterator[None]:
    """Prefect, and MLflow where the flow is tracked, at hand for a flow; progress on stderr."""
    store = Path(config.store)
    check_room(store)
    settle(store)
    if tracked:
        check_mlflow()
    make_store(store)  # Prefect makes its folder in it, and no more than that
    settle_terminal()
    _show_progress()
    logging.getLogger("recsys").info("starting Prefect%s …", " and MLflow" if tracked else "")
    if not tracked:
        yield
        return
    # MLflow makes its database while Prefect's server starts: neither waits for the other.
    opening = threading.Thread(target=_open_store, args=(config.store,))
    opening.start()
    try:
        yield
    finally:
        opening.join()


def with_server(config_file: Path) -> "Config":
    """The configuration of a command that needs a Prefect server, once that has answered."""
    config = configuration.load(config_file)
    store = Path(config.store)
    settle(store)
    check_server()
    from recsys.stages.candidates import check

    check(config)
    make_store(store)
    return config


def _open_store(store: str) -> None:
    from recsys import tracking

    # What is wrong with the store is told by the flow, which opens it again; here it would be a thread's traceback.
    with suppress(InputError):
        tracking.open_store(store)


def _show_progress() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("recsys")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
