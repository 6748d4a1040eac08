"""Tracking: the door to MLflow's runs, by explicit run ids only, with the time spent inside MLflow counted.

MLflow keeps one active run a thread, and a call from a pool thread would start a stray one: nothing is active here,
a `Run` knows its id. The store is `<store>/mlflow.db` with artifacts beside it, unless MLFLOW_TRACKING_URI names
another; artifact locations are absolute, so a store that is moved keeps pointing at its old place.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from filelock import FileLock

from recsys.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI, REGISTRY_URI = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"
DATABASE: Final = "mlflow.db"
RESUME_KEY: Final = "recsys.resume_key"
QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""Set before MLflow is imported, where the user has not decided otherwise."""
MOST_METRICS, MOST_TEXTS = 800, 100
"""Entries of a batch: MLflow takes 100 parameters, 100 tags and 1000 of all together."""
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
"""Characters of a value."""

Status = Literal["FINISHED", "FAILED", "KILLED"]


class _State:
    """What is true of this process."""

    folder: Path | None = None
    """Of the store that is open."""
    is_local = True
    """Whether the database is in that folder, so that artifacts belong there too."""
    seconds = 0.0
    lock = threading.Lock()
    thread = threading.local()


def open_store(store: str | Path, *, create: bool = True) -> None:
    """Point MLflow, for this process, at a store, which is made where it is not there if `create` says so.

    Raises:
        InputError: the store is not there or cannot be written, or MLFLOW_TRACKING_URI names what does not answer.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    folder = Path(store).absolute()
    if not (create or is_there(folder)):
        raise InputError(f"no store at {folder}; make one with recsys run CONFIG, or name another with --store")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the store {folder} cannot be made: {error.strerror}; choose another folder") from error
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
        with lock("mlflow"):
            try:
                mlflow.MlflowClient().search_experiments(max_results=1)
            except (MlflowException, SQLAlchemyError) as error:
                reason = str(error).splitlines()[0]
                raise InputError(f"MLflow cannot open {uri}: {reason}; name another store") from error


def is_there(store: str | Path) -> bool:
    """Whether there is a store to open without making one."""
    return bool(os.environ.get(URI)) or (Path(store) / DATABASE).is_file()


def lock(name: str) -> FileLock:
    """A lock of the open store, held by one process at a time: for what MLflow does not do atomically."""
    if _State.folder is None:
        raise RuntimeError("no store is open: call recsys.tracking.open_store first")
    return FileLock(_State.folder / f".{name}.lock")


def client() -> "MlflowClient":
    """A client of the open store."""
    from mlflow import MlflowClient

    return MlflowClient()


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
        with _State.lock:
            _State.seconds += time.perf_counter() - start


def seconds_spent() -> float:
    """Wall seconds inside MLflow since this process began, summed over threads; import and start-up included."""
    return _State.seconds


class Run:
    """A run by its id; every method may be called from any thread."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        history: Mapping[str, Sequence[tuple[int, float]]] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Log in as few batches as MLflow allows.

        MLflow takes no `@` in a name: `ndcg@10` is logged as `ndcg_at_10`.

        Args:
            params: name -> value; a value that was logged before cannot change.
            metrics: name -> value.
            history: name -> (step, value), such as one an epoch.
            tags: name -> text.
        """
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        values = [Metric(_name(name), float(value), now, 0) for name, value in (metrics or {}).items()]
        for name, series in (history or {}).items():
            values += [Metric(_name(name), float(value), now, step) for step, value in series]
        settings = [Param(_name(name), str(value)[:LONGEST_PARAM]) for name, value in (params or {}).items()]
        labels = [RunTag(name, str(value)[:LONGEST_TAG]) for name, value in (tags or {}).items()]
        sizes = ((values, MOST_METRICS), (settings, MOST_TEXTS), (labels, MOST_TEXTS))
        batches = max(-(-len(entries) // most) for entries, most in sizes)
        with counted():
            for number in range(batches):
                numbers = slice(number * MOST_METRICS, (number + 1) * MOST_METRICS)
                texts = slice(number * MOST_TEXTS, (number + 1) * MOST_TEXTS)
                client().log_batch(self.id, values[numbers], settings[texts], labels[texts])

    def artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Keep a file, or all that is in a folder, under the run's artifacts."""
        with counted():
            keep = client().log_artifacts if Path(path).is_dir() else client().log_artifact
            keep(self.id, str(path), folder)

    def dict(self, content: Mapping[str, Any], file: str) -> None:
        """Keep plain values as JSON or YAML, by the suffix of `file`."""
        with counted():
            client().log_dict(self.id, dict(content), file)

    def dataset(self, name: str, digest: str, path: str | Path, context: str = "training") -> None:
        """Say which data the run used, where it lies and for what; a digest has at most 36 characters."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        # Written out: mlflow.data would read the whole data to infer a schema.
        used = Dataset(name, digest, source_type="local", source=json.dumps({"uri": str(path)}))
        with counted():
            tags = [InputTag("mlflow.data.context", context)]
            client().log_inputs(self.id, [DatasetInput(used, tags)])

    def finish(self, status: Status = "FINISHED") -> None:
        """End the run."""
        with counted():
            client().set_terminated(self.id, status)


def start(
    experiment: str,
    name: str,
    tags: Mapping[str, Any] | None = None,
    parent: Run | None = None,
    resume_key: str | None = None,
) -> Run:
    """Start a run, or go on with the one of the same `resume_key` that never finished.

    Args:
        experiment: made when it is not there.
        name: of the run.
        tags: name -> text.
        parent: the run under which this one is shown.
        resume_key: what the run computes; a killed run leaves it unfinished, and the next start takes it over.

    Raises:
        InputError: the experiment was deleted.
    """
    labels = {key: str(value)[:LONGEST_TAG] for key, value in (tags or {}).items()}
    if parent is not None:
        labels["mlflow.parentRunId"] = parent.id
    with counted():
        where = _experiment(experiment)
        if resume_key is not None:
            labels[RESUME_KEY] = resume_key
            if found := _unfinished(where, resume_key):
                client().update_run(found, status="RUNNING")
                run = Run(found)
                run.log(tags=labels)
                return run
        return Run(client().create_run(where, run_name=name, tags=labels).info.run_id)


def _experiment(name: str) -> str:
    with lock("experiment"):
        found = client().get_experiment_by_name(name)
        if found is None:
            place = (_State.folder / "artifacts").as_uri() if _State.folder and _State.is_local else None
            # MLflow's pages then open on training runs, not on traces of language models.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return client().create_experiment(name, artifact_location=place, tags=kind)
    if found.lifecycle_stage == "deleted":
        raise InputError(
            f"the MLflow experiment {name!r} was deleted; bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or choose another name"
        )
    return found.experiment_id


def _unfinished(experiment: str, resume_key: str) -> str | None:
    wanted = f"tags.`{RESUME_KEY}` = '{resume_key}' and attributes.status != 'FINISHED'"
    runs = client().search_runs([experiment], wanted, max_results=1, order_by=["attributes.start_time DESC"])
    return runs[0].info.run_id if runs else None


def _name(name: str) -> str:
    return name.replace("@", "_at_")
