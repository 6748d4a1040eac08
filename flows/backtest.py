"""The backtest flow: replay a log period by period, a task each, and report what the loop was worth."""

from prefect import flow

from flows.form import ConfigPath, Folder, Overrides, answered, configured, report_folder
from recsys.backtest.summary import Summary
from recsys.stages.turn import turn
from tasks.backtest import first_model, period, report_backtest, set_up
from tasks.publish import entitle
from tasks.step import searching


@flow(name="backtest", flow_run_name="backtest {config}")
@answered
def backtest(config: ConfigPath, overrides: Overrides = (), report: Folder = None) -> Summary:
    """Serve, ingest, retrain, judge, promote or keep, for every period of the log; a killed replay goes on.

    Args:
        config: path of a TOML file.
        overrides: `section.key=value` changes of it, such as `tuning.trials=20`; configs/own-data.toml has every key.
        report: folder for the report; default: `backtest` in the configuration's folder of the store.
    """
    settings = configured(config, overrides)
    folder = report_folder(settings, report, "backtest")
    setting = set_up(settings)
    entitle(f"backtest {setting.folder.name}")
    with turn(setting.config):  # two of the same replay would write to one store
        searching(first_model, settings)(setting)
        for one in setting.periods:
            searching(period, settings)(setting, one, one.number)
        return report_backtest(settings, setting, folder)
