"""The steps of a backtest as tasks."""

from pathlib import Path

from recsys import tracking
from recsys.backtest import loop, setting
from recsys.backtest.outcome import Outcome
from recsys.backtest.replay import Period
from recsys.backtest.setting import Setting
from recsys.backtest.summary import Summary, summarize
from recsys.config import Config
from recsys.report.backtest import page, verdict, write_backtest
from tasks.publish import note
from tasks.step import LONG, step


@step("cut {config.name} into periods", seconds=LONG)
def set_up(config: Config) -> Setting:
    """Cut the log into periods."""
    return setting.set_up(config)


@step("first model", seconds=LONG)
def first_model(replay: Setting) -> Outcome:
    """Train the model that all policies start from."""
    return loop.begin(replay)


@step("period {number}", seconds=LONG)
def period(replay: Setting, span: Period, number: int) -> Outcome:
    """Serve a period, learn from it, decide."""
    return loop.step(replay, span)


@step("report backtest of {config.name}")
def report_backtest(config: Config, replay: Setting, folder: Path) -> Summary:
    """Write the report, and put it on the run page and into MLflow."""
    summary = summarize(replay)
    files = write_backtest(summary, folder)
    note("backtest", page(summary), verdict(summary))
    tracking.open_store(config.store)
    run = tracking.start(config.name, "backtest", {"role": "backtest"}, resume_key=f"backtest {replay.folder.name}")
    totals = {f"backtest/ndcg@10.{policy}": one.mean for policy, one in summary.whole.ndcg.items()}
    gains = {f"backtest/gain.{other}": one.mean for other, one in summary.whole.gain.items()}
    curves = {
        f"backtest/ndcg@10.{policy}.by_period": [
            (one.outcome.number, one.ndcg[policy].mean) for one in summary.periods if one.ndcg
        ]
        for policy in summary.whole.ndcg
    }
    run.log(metrics=totals | gains, history=curves, tags={"mlflow.note.content": verdict(summary)})
    for path in files:
        run.artifact(path, "backtest")
    run.finish()
    return summary
