"""Artifacts at a location, wherever that is: in a folder, in an object store, behind the proxy of a server."""

from typing import Any


def artifacts_at(location: str) -> Any:
    """MLflow's repository of a location, which lists and deletes."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(location)
