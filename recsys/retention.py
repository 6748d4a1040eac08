"""What MLflow keeps: versions, whole families of runs, bundles that no version leads to; their size, deleting them.

MLflow's own deletion only hides a run. Here its artifacts go first, then its rows, where the tracking store is a
database; an MLflow server lets nobody delete rows, so that there the run is hidden and `mlflow gc` does the rest.
`recsys.tracking.open_store` comes first.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from recsys import registry
from recsys.errors import InputError
from recsys.registry import CHAMPION, LOGGED, PREVIOUS, Version
from recsys.tracking import REGISTRY_URI, artifacts_at, client, counted, lock, patiently

PIPELINE, MONITOR = "pipeline", "monitor"
"""What the tag `role` says of runs that stand under no other."""
KEPT: Final = frozenset({CHAMPION, PREVIOUS})
"""A version with one of these aliases is not deleted."""


@dataclass(frozen=True)
class Family:
    """A run, and all that lie under it."""

    id: str
    name: str
    role: str
    started: datetime
    members: tuple[tuple[str, str], ...]
    """Id and artifact location of each run; those under another come before it."""

    @property
    def mib(self) -> float:
        """Size of the artifacts of all, MiB."""
        return sum(_mib(location) for _, location in self.members)

    def delete(self) -> bool:
        """Delete them for good; done again after a kill, it goes on."""
        with counted():
            store = client()._tracking_client.store
            # As `mlflow gc` does, which would take with it all that a person has put into MLflow's trash.
            erase = getattr(store, "_hard_delete_run", store.delete_run)
            for run, location in self.members:
                artifacts_at(location).delete_artifacts()
                erase(run)
        return True


@dataclass(frozen=True)
class Unregistered:
    """A bundle that no version leads to: what is left of a registration, or of a deletion, that was killed."""

    id: str
    location: str
    made: float
    """Seconds since 1970."""

    @property
    def mib(self) -> float:
        """Size, MiB."""
        return _mib(self.location)

    def delete(self) -> bool:
        """Delete it for good."""
        with counted():
            artifacts_at(self.location).delete_artifacts()
            client().delete_logged_model(self.id)
        return True


def families(experiment: str) -> list[Family]:
    """Runs of an experiment that stand under no other and have a role, with all below them, the newest first."""
    with counted():
        import mlflow

        where = client().get_experiment_by_name(experiment)
        if where is None:
            return []
        newest_first = ["start_time DESC"]
        runs = patiently(lambda: mlflow.search_runs([where.experiment_id], order_by=newest_first, output_format="list"))
    under = defaultdict(list)
    for run in runs:
        under[run.data.tags.get("mlflow.parentRunId")].append(run)
    return [
        Family(
            id=run.info.run_id,
            name=run.info.run_name,
            role=run.data.tags["role"],
            started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
            members=tuple((one.info.run_id, one.info.artifact_uri) for one in _leaves_first(run, under)),
        )
        for run in under[None]
        if run.data.tags.get("role") in (PIPELINE, MONITOR)
    ]


def unregistered(experiment: str, model: str) -> list[Unregistered]:
    """Bundles of an experiment that no version of any model leads to, the newest among them perhaps not yet.

    Args:
        experiment: name.
        model: that whoever trains in it registers.

    Raises:
        InputError: there are such bundles, and the registry has never heard of the model: it is another one.
    """
    with counted():
        import mlflow

        where = client().get_experiment_by_name(experiment)
        if where is None:
            return []
        bundles = patiently(
            lambda: mlflow.search_logged_models([where.experiment_id], f"name = '{LOGGED}'", output_format="list")
        )
        registered = " ".join(_places().values())
        left = [one for one in bundles if one.model_id not in registered]
        # One that is not READY was killed on its way to the registry, perhaps the very first.
        if any(one.status == "READY" for one in left) and not client().search_registered_models(f"name = '{model}'"):
            raise InputError(
                f"bundles of {experiment} are here, but the registry knows no model {model}, so that each would look "
                f"as if nobody needed it: set {REGISTRY_URI} as where it was trained"
            )
    return [Unregistered(one.model_id, one.artifact_location, one.creation_timestamp / 1000) for one in left]


def copied(versions: Iterable[Version]) -> dict[int, str]:
    """Numbers of versions whose bundle a version of another model shares, with the name of that model."""
    places, own = _places(), {(one.model, one.number) for one in versions}
    number = {places[one]: one[1] for one in own}
    return {
        number[place]: model for (model, one), place in places.items() if place in number and (model, one) not in own
    }


def mib_of(version: Version) -> float:
    """Size of a version's bundle, MiB; 0 where its artifacts are gone."""
    with counted():
        return _mib(client().get_model_version_download_uri(version.model, str(version.number)))


def delete(version: Version) -> bool:
    """Delete a version for good, unless it is champion or the one before; its artifacts too, unless a copy shares them.

    Returns:
        Whether it was deleted.
    """
    with counted(), lock("registry"):
        registry.complete(version.model)
        now = registry.find(version.model, version.number)
        if now is None or KEPT & {*now.aliases}:
            return False
        places = _places()
        place = places.pop((version.model, version.number))
        shared = place in places.values()
        if not shared:
            # The artifacts first: killed between the two, nothing is left that no version leads to.
            artifacts_at(place).delete_artifacts()
        client().delete_model_version(version.model, str(version.number))
        if not shared:
            # MLflow keeps the artifacts of a logged model in a folder of its id.
            client().delete_logged_model(PurePosixPath(place).parent.name)
    return True


def are_rows_left() -> bool:
    """Whether deleted runs leave rows behind that only `mlflow gc` on the server removes."""
    return not hasattr(client()._tracking_client.store, "_hard_delete_run")


def _places() -> dict[tuple[str, int], str]:
    """Where the bundle of every version lies, of all models; versions that were copied share one."""
    with counted():
        import mlflow

        # Not `model_id`, which MLflow does not keep: every bundle would look as if no version led to it.
        return {
            (one.name, int(one.version)): client().get_model_version_download_uri(one.name, one.version)
            for one in patiently(mlflow.search_model_versions)
        }


def _leaves_first(run: Any, under: dict[str | None, list[Any]]) -> Iterator[Any]:
    for one in under[run.info.run_id]:
        yield from _leaves_first(one, under)
    yield run


def _mib(location: str) -> float:
    return _bytes(artifacts_at(location)) / 2**20


def _bytes(artifacts: Any, path: str | None = None) -> int:
    return sum(
        _bytes(artifacts, one.path) if one.is_dir else one.file_size or 0 for one in artifacts.list_artifacts(path)
    )
