"""The steps of a backtest as tasks."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from recsys import tracking
from recsys.backtest import loop, setting
from recsys.backtest.outcome import Outcome
from recsys.backtest.replay import Period
from recsys.backtest.setting import Setting
from recsys.backtest.summary import Summary, summarize
from recsys.config import Config
from recsys.report.backtest import page, verdict, write_backtest
from tasks.publish import note


@task(cache_policy=NO_CACHE)
def set_up(config: Config) -> Setting:
    """Cut the log into periods."""
    return setting.set_up(config)


@task(cache_policy=NO_CACHE)
def first_model(replay: Setting) -> Outcome:
    """Train the model that all policies start from."""
    return loop.begin(replay)


@task(cache_policy=NO_CACHE, task_run_name="period {number}")
def period(replay: Setting, span: Period, number: int) -> Outcome:
    """Serve a period, learn from it, decide."""
    return loop.step(replay, span)


@task(cache_policy=NO_CACHE)
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
