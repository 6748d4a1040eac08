"""The flows from the command line, beside the commands of the library."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.form import LEAST_DAYS, MOST_DAYS, MOST_ITEMS, configured
from flows.server import check_server
from recsys import config as configuration
from recsys.cli import main as answer
from recsys.cli.app import LOOP, PIPELINE, AsJson, ConfigFile, ModelUri, Overrides, app, print_json, print_table
from recsys.errors import InputError
from tasks import clock  # the clock of the process starts with this import
from tasks.settings import settle, settle_terminal

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
    folder = report or Path(config.store) / config.name
    with started(config):
        from flows.train import train

        card = train(str(config_file), list(overrides or ()), str(folder))
    show_run(card, config, folder)


@app.command(rich_help_panel=LOOP)
def retrain(config_file: ConfigFile, overrides: Overrides = None, report: Report = None) -> None:
    """Take new feedback in; where it is worth it, train from the champion's parameters, judge, promote."""
    config = configured(str(config_file), overrides or ())
    folder = report or Path(config.store) / config.name
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
    folder = report or Path(config.store) / config.name / "backtest"
    # A replay opens a store of its own: no thread may open another one meanwhile.
    with started(config, tracked=False):
        from flows.backtest import backtest as flow

        summary = flow(str(config_file), list(overrides or ()), str(folder))
    from recsys.report.backtest import totals_table, verdict

    typer.echo(f"{verdict(summary)}\n\n{totals_table(summary)}\n\nReport: {folder / 'backtest.md'}")


@app.command(rich_help_panel=LOOP)
def ingest(config_file: ConfigFile, overrides: Overrides = None) -> None:
    """Drain new events of the feedback store into the training log, judged by the data contract."""
    config = configuration.load(config_file, overrides or ())
    from recsys.stages.ingest import counts_lines, waiting

    if not waiting(config):
        typer.echo(f"{config.name}: nothing new in the feedback store; recsys feedback add FILE adds events")
        return
    with started(config, tracked=False):
        from flows.ingest import ingest as flow

        counts = flow(str(config_file), list(overrides or ()))
    typer.echo("\n".join(counts_lines(config, counts)))


@app.command(rich_help_panel=LOOP)
def deploy(config_file: ConfigFile) -> None:
    """Register the flows on the Prefect server, with forms and schedules, for workers to run."""
    config = _with_server(config_file)
    from flows import deployments

    made = deployments.deploy(config, config_file)
    typer.echo("\n".join([f"{config.name} is deployed:", *deployments.lines(made)]))
    typer.echo(f"Nothing runs without a worker: prefect worker start --pool {made[0].work_pool_name}")


@app.command("serve-flows", rich_help_panel=LOOP)
def serve_flows(config_file: ConfigFile) -> None:
    """Register the flows on the Prefect server and run what is due, without a worker, until Ctrl-C."""
    config = _with_server(config_file)
    from flows import deployments

    title = f"{config.name} is served until Ctrl-C:"
    deployments.serve(config, config_file, lambda made: typer.echo("\n".join([title, *deployments.lines(made)])))
    typer.echo(f"{config.name} is no longer served; its schedules rest until it is")


@app.command("batch-recommend", rich_help_panel=LOOP)
def batch_recommend(
    config_file: ConfigFile,
    overrides: Overrides = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MOST_ITEMS, help="How many items for each user.")] = 20,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to. Default: STORE/recommendations/MODEL.")
    ] = None,
    model: ModelUri = None,
) -> None:
    """Recommend items to everybody, as Parquet; a batch that was killed goes on where it was."""
    config = configuration.load(config_file, overrides or ())
    from recsys import tracking
    from recsys.stages.batch import version_of

    tracking.open_store(config.store, create=False)
    version = version_of(config, model)
    with started(config):
        from flows.batch_recommend import batch_recommend as flow

        where = None if out is None else str(out)
        batch, folder, reused = flow(str(config_file), list(overrides or ()), k, where, model)
    said = "has answered already" if reused else "answered"
    typer.echo(f"{version} {said}: {batch.rows:,} rows for {batch.users:,} users, {batch.since:,} events since its fit")
    typer.echo(f"Parquet: {folder}")


@app.command(rich_help_panel=LOOP)
def monitor(
    config_file: ConfigFile,
    overrides: Overrides = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="MOMENT", help="From when on: ISO 8601, instead of --days.")
    ] = None,
    days: Annotated[float, typer.Option("--days", min=LEAST_DAYS, max=MOST_DAYS, help="How many days back.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Look at feedback: what each version showed, what came of it, and drift."""
    config = configuration.load(config_file, overrides or ())
    from recsys.feedback.database import is_there
    from recsys.report.monitor import VERSIONS, drift_line, headline, version_rows
    from recsys.stages.monitor import beginning, watch

    begin = beginning(since, days)
    if is_there(config.store):
        with started(config):
            from flows.monitor import monitor as flow

            watched = flow(str(config_file), list(overrides or ()), since, days)
    else:
        watched = watch(config, begin)
    if as_json:
        print_json(watched.model_dump())
        return
    typer.echo(f"{config.name}: {headline(watched)}")
    if not watched.is_empty:
        import pandas as pd

        print_table("Shown, by version", pd.DataFrame(version_rows(watched), columns=list(VERSIONS)))
        typer.echo(f"Drift: {drift_line(watched.drift)}")
        typer.echo(f"Report: {Path(config.store) / 'monitor' / config.model_name / 'monitor.md'}")


def main() -> int:
    """All commands; exit codes as `recsys.cli.main` says."""
    return answer()


@contextmanager
def started(config: "Config", *, tracked: bool = True) -> Iterator[None]:
    """Prefect, and MLflow where the flow is tracked, at hand for a flow; progress on stderr."""
    settle(Path(config.store))
    settle_terminal()
    _show_progress()
    logging.getLogger("recsys").info("starting Prefect%s …", " and MLflow" if tracked else "")
    if not tracked:
        yield
        return
    # MLflow makes its database while Prefect's server starts: neither waits for the other.
    opening = threading.Thread(target=_open_store, args=(config.store,))
    opening.start()
    try:
        yield
    finally:
        opening.join()


def _with_server(config_file: Path) -> "Config":
    """The configuration of a command that needs a Prefect server, once that has answered."""
    configuration.load(config_file)
    check_server()
    config = configured(str(config_file))
    store = Path(config.store)
    store.mkdir(parents=True, exist_ok=True)  # Prefect makes its folder in it, and no more than that
    settle(store)
    return config


def _open_store(store: str) -> None:
    from recsys import tracking

    # What is wrong with the store is told by the flow, which opens it again; here it would be a thread's traceback.
    with suppress(InputError):
        tracking.open_store(store)


def _show_progress() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("recsys")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def show_run(card: "Scorecard", config: "Config", folder: Path) -> None:
    """The leaderboard, the verdict, and where to look next."""
    from rich.console import Console

    from recsys.report.terminal import print_leaderboard
    from recsys.stages.validate import validated_folder
    from recsys.stages.workspace import located

    store = Path(config.store)
    page = validated_folder(located(config)) / "validation.html"
    steps = [
        ("Report", str(folder / "leaderboard.md")),
        ("Validation report", f"open {page}"),
        ("MLflow UI", f"make ui   # or: mlflow server --backend-store-uri sqlite:///{store / 'mlflow.db'}"),
        ("Recommend", f"recsys recommend --model models:/{config.model_name}@champion --user ID"),
        ("Versions", "recsys models"),
    ]
    print_leaderboard(card, Console(width=None if sys.stdout.isatty() else 110), next_steps=steps)
    logging.getLogger("recsys").info("done in %.0f s", clock.Clock().timings()["total"])
