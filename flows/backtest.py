"""The backtest flow: replay a log period by period, a task each, and report what the loop was worth."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from recsys.backtest.summary import Summary
from recsys.config import load
from tasks.backtest import first_model, period, report_backtest, set_up


@flow(name="backtest", flow_run_name="backtest {config}")
def backtest(config: str, overrides: Sequence[str] = (), report: str | None = None) -> Summary:
    """Serve, ingest, retrain, judge, promote or keep, for every period of the log; a killed replay goes on.

    Args:
        config: path of a TOML file.
        overrides: `section.key=value` changes of it.
        report: folder for the report; default: `backtest` in the configuration's folder of the store.
    """
    settings = load(config, overrides)
    setting = set_up(settings)
    first_model(setting)
    for one in setting.periods:
        period(setting, one, one.number)
    folder = Path(report) if report else Path(settings.store) / settings.name / "backtest"
    return report_backtest(settings, setting, folder)
