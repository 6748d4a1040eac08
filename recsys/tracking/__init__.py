"""Tracking: the door to MLflow's runs, by explicit run ids only, with the time spent inside MLflow counted."""

from recsys.tracking.artifacts import artifacts_at, fetched
from recsys.tracking.experiments import introduce
from recsys.tracking.patience import PATIENCE, QUIET, patiently, shown_at, where
from recsys.tracking.runs import Run, end_left, start
from recsys.tracking.store import REGISTRY_URI, URI, client, counted, is_there, lock, open_store, seconds_spent
from recsys.tracking.system import watched

__all__ = [
    "PATIENCE",
    "QUIET",
    "REGISTRY_URI",
    "URI",
    "Run",
    "artifacts_at",
    "client",
    "counted",
    "end_left",
    "fetched",
    "introduce",
    "is_there",
    "lock",
    "open_store",
    "patiently",
    "seconds_spent",
    "shown_at",
    "start",
    "watched",
    "where",
]
