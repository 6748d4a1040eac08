"""The monitoring flow: what each version showed, what came of it, and drift."""

from datetime import UTC, datetime

from prefect import flow

from flows.form import ConfigPath, Days, Moment, Overrides, answered
from recsys.config import load
from recsys.stages.monitor import Watched, beginning
from tasks.monitor import watch
from tasks.publish import entitle


@flow(name="monitor", flow_run_name="monitor {config}")
@answered
def monitor(config: ConfigPath, overrides: Overrides = (), since: Moment = None, days: Days = 7) -> Watched:
    """Look at the feedback store; no feedback is a normal ending.

    Args:
        config: path of a TOML file.
        overrides: `section.key=value` changes of it, such as `tuning.trials=20`; configs/own-data.toml has every key.
        since: seconds since 1970, or ISO 8601; what came earlier is left out.
        days: where `since` is not given, how many days back.
    """
    settings, begin = load(config, overrides), beginning(since, days)
    entitle(f"monitor {settings.name} since {datetime.fromtimestamp(begin, UTC):%Y-%m-%d}")
    return watch(settings, begin)
