"""Runs by their ids: MLflow's active run belongs to a thread, and a call from a pool thread would start a stray one."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from recsys.tracking.experiments import find_or_make
from recsys.tracking.patience import shown_at
from recsys.tracking.store import client, counted, home

RESUME_KEY, PARENT, HOME = "recsys.resume_key", "mlflow.parentRunId", "recsys.store"
"""Tags: what a run computes, the run it is shown under, and the store of the process that started it."""
GOES_ON: Final = "attributes.status = 'RUNNING'"
MOST_METRICS, MOST_TEXTS = 800, 100
"""Entries of a batch: MLflow takes 100 parameters, 100 tags and 1000 of all together."""
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
"""Characters of a value."""

Status = Literal["FINISHED", "FAILED", "KILLED"]


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

    def rename(self, name: str) -> None:
        """Call it something else."""
        with counted():
            client().update_run(self.id, name=name)

    def finish(self, status: Status = "FINISHED") -> None:
        """End the run."""
        with counted():
            client().set_terminated(self.id, status)

    def abandon(self, status: Status) -> None:
        """End the run, and what goes on under it, now: a server that is away is not waited for.

        The run then stays as it is until the next start of the same takes it over.
        """
        from mlflow.exceptions import MlflowException

        asked = client(patient=False)
        with counted(), suppress(MlflowException):
            where = asked.get_run(self.id).info.experiment_id
            for run in asked.search_runs([where], f"tags.`{PARENT}` = '{self.id}' and {GOES_ON}"):
                Run(run.info.run_id).abandon(status)
            asked.set_terminated(self.id, status)

    def url(self) -> str | None:
        """Its page; none where no server shows it."""
        address = shown_at()
        if address is None:
            return None
        with counted():
            return f"{address}/#/experiments/{client().get_run(self.id).info.experiment_id}/runs/{self.id}"


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
    labels = {HOME: home()} | {key: str(value)[:LONGEST_TAG] for key, value in (tags or {}).items()}
    if parent is not None:
        labels[PARENT] = parent.id
    with counted():
        where = find_or_make(experiment)
        if resume_key is not None:
            labels[RESUME_KEY] = resume_key
            if found := _unfinished(where, resume_key):
                client().update_run(found, status="RUNNING")
                run = Run(found)
                run.log(tags=labels)
                return run
        return Run(client().create_run(where, run_name=name, tags=labels).info.run_id)


def end_left(experiment: str, keep: Run, tags: Mapping[str, str]) -> None:
    """End the runs with these tags that a killed process of this store left running, all but one.

    Whoever calls it knows that nobody else computes such a run in this store now.
    """
    wanted = [f"tags.`{name}` = '{value}'" for name, value in {**tags, HOME: home()}.items()]
    with counted():
        for run in client().search_runs([find_or_make(experiment)], " and ".join([*wanted, GOES_ON])):
            if run.info.run_id != keep.id:
                Run(run.info.run_id).abandon("KILLED")


def _unfinished(experiment: str, resume_key: str) -> str | None:
    wanted = f"tags.`{RESUME_KEY}` = '{resume_key}' and attributes.status != 'FINISHED'"
    runs = client().search_runs([experiment], wanted, max_results=1, order_by=["attributes.start_time DESC"])
    return runs[0].info.run_id if runs else None


def _name(name: str) -> str:
    return name.replace("@", "_at_")
