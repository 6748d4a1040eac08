"""Looking at feedback as a task: the report, the run page, and a run in MLflow to compare with others."""

from pathlib import Path

from recsys import tracking
from recsys.config import Config
from recsys.report.monitor import headline, page, write_monitor
from recsys.stages import monitor
from recsys.stages.monitor import Watched
from tasks.publish import note
from tasks.step import LONG, step
from tasks.track import log_watched

FOLDER = "monitor"


@step("watch {config.model_name}", seconds=LONG)
def watch(config: Config, since: int) -> Watched:
    """Look at what was shown and taken from a second on; keep the report, the figures and the page."""
    tracking.open_store(config.store)
    watched = monitor.watch(config, since)
    files = write_monitor(watched, Path(config.store) / FOLDER / config.model_name)
    if not watched.is_empty:
        log_watched(watched, files)
    note("monitor", page(watched), headline(watched))
    return watched
