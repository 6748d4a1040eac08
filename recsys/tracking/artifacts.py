"""Artifacts at a location, wherever that is: in a folder, in an object store, behind the proxy of a server."""

import atexit
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any


def artifacts_at(location: str) -> Any:
    """MLflow's repository of a location, which lists and deletes."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(location)


def fetched(location: str) -> Path:
    """Folder on this machine with what lies at a location: in place where that is a folder, else a copy.

    A copy is made once a process and is gone when that ends: users may be in it.
    """
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    artifacts = artifacts_at(location)
    return Path(artifacts.download_artifacts("")) if isinstance(artifacts, LocalArtifactRepository) else _copy(location)


@cache
def _copy(location: str) -> Path:
    return Path(artifacts_at(location).download_artifacts("", mkdtemp(dir=_copies())))


@cache
def _copies() -> str:
    folder = TemporaryDirectory(prefix="recsys-")
    atexit.register(folder.cleanup)
    return folder.name
