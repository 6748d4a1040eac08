"""The ingest flow: what came in by feedback joins the training log."""

from prefect import flow

from flows.form import ConfigPath, Overrides, answered
from recsys.config import load
from recsys.data.parts import Counts
from tasks import ingest as tasks
from tasks.publish import entitle


@flow(name="ingest", flow_run_name="ingest {config}")
@answered
def ingest(config: ConfigPath, overrides: Overrides = ()) -> Counts:
    """Drain new events of the feedback store; nothing new is a normal ending.

    Args:
        config: path of a TOML file.
        overrides: `section.key=value` changes of it, such as `tuning.trials=20`; configs/own-data.toml has every key.
    """
    settings = load(config, overrides)
    entitle(f"ingest {settings.name}")
    return tasks.ingest(settings)
