"""The command line of the library; `recsys run` and what else needs Prefect stand in `flows.cli`."""

from recsys.cli import data, feedback, models, promotion, prune  # each adds its commands
from recsys.cli.app import main

__all__ = ["data", "feedback", "main", "models", "promotion", "prune"]
