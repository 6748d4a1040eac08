"""The store that this process writes to, and how long it took.

It is `<store>/mlflow.db` with artifacts beside it, unless MLFLOW_TRACKING_URI names another; artifact locations are
absolute, so a store that is moved keeps pointing at its old place.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from filelock import FileLock

from recsys.addresses import bypass_proxies
from recsys.data.atomic import make_store, writing
from recsys.errors import InputError, UnavailableError
from recsys.tracking.patience import QUIET, Patient, absence, where

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI, REGISTRY_URI = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"
DATABASE: Final = "mlflow.db"


class _State:
    """What is true of this process."""

    folder: Path | None = None
    """Of the store that is open."""
    is_local = True
    """Whether the database is in that folder, so that artifacts belong there too."""
    lock = threading.Lock()
    thread = threading.local()


def open_store(store: str | Path, *, create: bool = True) -> None:
    """Point MLflow, for this process, at a store, which is made where it is not there if `create` says so.

    Raises:
        InputError: the store is not there or cannot be written.
        UnavailableError: nobody answers at MLFLOW_TRACKING_URI.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    bypass_proxies()
    folder = Path(store).absolute()
    if not (create or is_there(folder)):
        raise InputError(
            f"no store at {folder}; make one with recsys run CONFIG, or name another: --store, or store in CONFIG"
        )
    make_store(folder)
    with counted():
        import mlflow
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        with _State.lock:
            wanted = {name: os.environ.get(name) for name in (URI, REGISTRY_URI)}
            uri = wanted[URI] or f"sqlite:///{folder / DATABASE}"
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(wanted[REGISTRY_URI] or uri)
            for name in (name for name, value in wanted.items() if not value):
                # MLflow copies the URIs there, where the next store would take them for the user's wish.
                os.environ.pop(name, None)
            _State.folder, _State.is_local = folder, not wanted[URI]
        # Two processes that migrate a fresh database at once leave it broken for ever.
        with writing(folder):
            held = lock("mlflow").acquire()
        with held:
            try:
                mlflow.MlflowClient().search_experiments(max_results=1)
            except (MlflowException, SQLAlchemyError) as error:
                if away := absence(error):
                    raise UnavailableError(
                        f"MLflow at {where()} does not answer ({away}): start its server; without {URI}, runs are kept "
                        "in the store"
                    ) from error
                reason = str(error).splitlines()[0]
                raise InputError(f"MLflow cannot open {where()}: {reason}; name another store") from error


def is_there(store: str | Path) -> bool:
    """Whether there is a store to open without making one."""
    return bool(os.environ.get(URI)) or (Path(store) / DATABASE).is_file()


def lock(name: str) -> FileLock:
    """A lock of the open store, held by one process at a time: for what MLflow does not do atomically."""
    if _State.folder is None:
        raise RuntimeError("no store is open: call recsys.tracking.open_store first")
    return FileLock(_State.folder / f".{name}.lock")


def client(*, patient: bool = True) -> "MlflowClient":
    """A client of the open store, which waits for a server that is away unless it is not to be `patient`."""
    from mlflow import MlflowClient

    return cast("MlflowClient", Patient(MlflowClient())) if patient else MlflowClient()


def home() -> str:
    """The open store as nobody else calls theirs."""
    return f"{socket.gethostname()}:{_State.folder}"


def artifact_location() -> str | None:
    """Where a new experiment keeps its artifacts; none: MLflow's server knows."""
    return (_State.folder / "artifacts").as_uri() if _State.folder and _State.is_local else None


@contextmanager
def counted() -> Iterator[None]:
    """Count the wall time of a block as spent inside MLflow; blocks in blocks count once."""
    if getattr(_State.thread, "inside", False):
        yield
        return
    _State.thread.inside, start = True, time.perf_counter()
    try:
        yield
    finally:
        _State.thread.inside = False
        _State.thread.seconds = seconds_spent() + time.perf_counter() - start


def seconds_spent() -> float:
    """Wall seconds of the calling thread inside MLflow since it began; import and start-up included."""
    return float(getattr(_State.thread, "seconds", 0.0))
