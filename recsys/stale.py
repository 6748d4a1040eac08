"""Versions that have to go: who holds a user, and the tag that says so.

A tag and no more, because a champion answers until another takes its place, and rolling back must work. The next
retraining happens for this reason alone. `recsys.tracking.open_store` comes first.
"""

from recsys import records, registry
from recsys.data.catalogue import holds_user
from recsys.registry import Version
from recsys.tracking import counted

STALE, SINCE = "stale", "stale.since"
"""Tags of a version that has to go: why, and when that was said."""


def holding(user_id: str) -> list[Version]:
    """Versions in whose bundle a user is; one whose artifacts are gone holds nobody."""
    return [version for version in registry.versions() if _holds(version, user_id)]


def mark(version: Version, why: str) -> None:
    """Say on a version that it has to go; what was said first stays."""
    if STALE not in version.tags:
        with counted():
            records.tag(version.model, version.number, {STALE: why, SINCE: records.now()})


def _holds(version: Version, user_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        bundle = registry.download(version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return holds_user(bundle, user_id)
