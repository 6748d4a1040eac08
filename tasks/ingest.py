"""New feedback as a task: drain it into the training log."""

from recsys.config import Config
from recsys.data.parts import Counts
from recsys.stages import ingest as ingesting
from tasks.publish import note
from tasks.step import LONG, step


@step("ingest {config.name}", seconds=LONG)
def ingest(config: Config) -> Counts:
    """Drain new events of the feedback store, judged by the data contract."""
    counts = ingesting.ingest(config)
    markdown = ingesting.counts_markdown(counts, ingesting.so_far(config))
    note("ingest", markdown, f"{counts.accepted:,} of {counts.drained:,} new events accepted")
    return counts
