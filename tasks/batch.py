"""Answers for everybody as a task."""

from pathlib import Path

from recsys import tracking
from recsys.config import Config
from recsys.stages import batch
from recsys.stages.batch import Batch
from tasks.publish import note
from tasks.step import LONG, step


@step("recommend by {config.model_name}", seconds=LONG)
def recommend_all(config: Config, k: int, out: str | None, model: str | None) -> tuple[Batch, Path, bool]:
    """Write the answers of a version for everybody, or find them written."""
    tracking.open_store(config.store, create=False)
    done, folder, reused = batch.recommend_all(config, k, out, model)
    note("batch", batch.batch_markdown(done, folder), f"{done.users:,} users answered by {done.model}", reused)
    return done, folder, reused
