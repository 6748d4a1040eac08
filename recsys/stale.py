"""Versions that have to go: who holds a user, the tag that says so, and deleting one with its artifacts.

A tag and no more, because a champion answers until another takes its place, and rolling back must work. The next
retraining happens for this reason alone. `recsys.tracking.open_store` comes first.
"""

from typing import Final

from recsys import records, registry
from recsys.data.catalogue import holds_user
from recsys.registry import CHAMPION, PREVIOUS, Version
from recsys.tracking import artifacts_at, client, counted, lock

STALE, SINCE = "stale", "stale.since"
"""Tags of a version that has to go: why, and when that was said."""
KEPT: Final = frozenset({CHAMPION, PREVIOUS})
"""Who has one of these aliases is not deleted."""


def holding(user_id: str) -> list[Version]:
    """Versions in whose bundle a user is; one whose artifacts are gone holds nobody."""
    return [version for version in registry.versions() if _holds(version, user_id)]


def mark(version: Version, why: str) -> None:
    """Say on a version that it has to go; what was said first stays."""
    if STALE not in version.tags:
        with counted():
            records.tag(version.model, version.number, {STALE: why, SINCE: records.now()})


def delete(version: Version) -> bool:
    """Delete a version for good, with its artifacts, unless it is champion or the one before.

    Returns:
        Whether it was deleted.
    """
    with counted(), lock("registry"):
        now = registry.find(version.model, version.number) or version
        if KEPT & {*now.aliases}:
            return False
        logged = client().get_model_version(version.model, str(version.number)).source.removeprefix("models:/")
        # The artifacts first: killed between the two, nothing is left that no version leads to.
        artifacts_at(client().get_logged_model(logged).artifact_location).delete_artifacts()
        client().delete_model_version(version.model, str(version.number))
        client().delete_logged_model(logged)
    return True


def _holds(version: Version, user_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        bundle = registry.download(version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return holds_user(bundle, user_id)
