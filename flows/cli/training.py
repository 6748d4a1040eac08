"""Commands that train: `recsys run`, `recsys retrain`, `recsys backtest`."""

import logging
import os
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.start import started
from flows.form import configured, report_folder
from recsys.cli.app import LOOP, PIPELINE, ConfigFile, Overrides, app
from recsys.config import STORE
from tasks import clock

if TYPE_CHECKING:
    from recsys.config import Config
    from recsys.report.scorecard import Scorecard

Report = Annotated[
    Path | None, typer.Option("--report", metavar="DIR", help="Where the report goes. Default: under STORE/NAME.")
]


@app.command(rich_help_panel=PIPELINE)
def run(config_file: ConfigFile, overrides: Overrides = None, report: Report = None) -> None:
    """Run the whole pipeline: validate, prepare, train, combine, judge, promote."""
    config = configured(str(config_file), overrides or ())
    folder = report_folder(config, report)
    with started(config):
        from flows.train import train

        card = train(str(config_file), list(overrides or ()), str(folder))
    show_run(card, config, folder)


@app.command(rich_help_panel=LOOP)
def retrain(config_file: ConfigFile, overrides: Overrides = None, report: Report = None) -> None:
    """Take new feedback in; where it is worth it, train from the champion's parameters, judge, promote."""
    config = configured(str(config_file), overrides or ())
    folder = report_folder(config, report)
    with started(config):
        from flows.retrain import retrain as flow

        done = flow(str(config_file), list(overrides or ()), str(folder))
    for reason in done.decision.reasons:
        typer.echo(f"{'Retrained' if done.card else 'Nothing to do'}: {reason}")
    if done.card:
        show_run(done.card, config, folder)


@app.command(rich_help_panel=PIPELINE)
def backtest(config_file: ConfigFile, overrides: Overrides = None, report: Report = None) -> None:
    """Replay the log by periods: the loop beside a model that is frozen and one that is always overwritten."""
    config = configured(str(config_file), overrides or ())
    folder = report_folder(config, report, "backtest")
    # A replay opens a store of its own: no thread may open another one meanwhile.
    with started(config, tracked=False):
        from flows.backtest import backtest as flow

        summary = flow(str(config_file), list(overrides or ()), str(folder))
    from recsys.report.backtest import totals_table, verdict

    typer.echo(f"{verdict(summary)}\n\n{totals_table(summary)}\n\nReport: {folder / 'backtest.md'}")


def show_run(card: "Scorecard", config: "Config", folder: Path) -> None:
    """The leaderboard, the verdict, and where to look next."""
    from rich.console import Console

    from recsys import tracking
    from recsys.report.terminal import print_leaderboard
    from recsys.stages.validate import validated_folder
    from recsys.stages.workspace import located

    store = "" if tracking.URI in os.environ or config.store == STORE else f" --store {quote(config.store)}"
    page = validated_folder(located(config)) / "validation.html"
    steps = [
        ("Report", str(folder / "leaderboard.md")),
        ("Validation report", f"open {quote(str(page))}"),
        ("MLflow UI", tracking.shown_at() or _mlflow_server(config)),
        ("Recommend", f"recsys recommend --model models:/{config.model_name}@champion{store} --user ID"),
        ("Versions", f"recsys models{store}"),
    ]
    print_leaderboard(card, Console(width=None if sys.stdout.isatty() else 110), next_steps=steps)
    logging.getLogger("recsys").info("done in %.0f s", clock.Clock().timings()["total"])


def _mlflow_server(config: "Config") -> str:
    """What shows the run where no server does yet."""
    from recsys import tracking

    server = "MLFLOW_DISABLE_TELEMETRY=true mlflow server --backend-store-uri"
    if tracking.URI in os.environ:
        return f"{server} {quote(tracking.where())}"
    database = Path(config.store) / "mlflow.db"
    local = f"{server} {quote(f'sqlite:///{database}')}"
    return f"make ui   # or: {local}" if config.store == STORE else local
