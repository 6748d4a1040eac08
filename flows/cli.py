"""`recsys run` and `recsys ingest`: flows from the command line, beside the commands of the library."""

import logging
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys import config as configuration
from recsys.cli import main as answer
from recsys.cli.app import ConfigFile, Overrides, app
from recsys.errors import InputError
from tasks import clock  # the clock of the process starts with this import

if TYPE_CHECKING:
    from recsys.config import Config
    from recsys.report.scorecard import Scorecard


@app.command()
def run(
    config_file: ConfigFile,
    overrides: Overrides = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Where the report goes. Default: STORE/NAME.")
    ] = None,
) -> None:
    """Run the whole pipeline: validate, prepare, train, combine, judge, promote."""
    config = configuration.load(config_file, overrides or ())
    folder = report or Path(config.store) / config.name
    from recsys.stages.candidates import check

    check(config)
    _set_up(config)
    logging.getLogger("recsys").info("starting Prefect and MLflow …")
    # MLflow makes its database while Prefect's server starts: neither waits for the other.
    opening = threading.Thread(target=_open_store, args=(config.store,))
    opening.start()
    from flows.train import train

    card = train(str(config_file), list(overrides or ()), str(folder))
    opening.join()
    _show_results(card, config, folder)


@app.command()
def ingest(config_file: ConfigFile, overrides: Overrides = None) -> None:
    """Drain new events of the feedback store into the training log, judged by the data contract."""
    config = configuration.load(config_file, overrides or ())
    from recsys.stages.ingest import counts_lines, waiting

    if not waiting(config):
        typer.echo(f"{config.name}: nothing new in the feedback store; recsys feedback add FILE adds events")
        return
    _set_up(config)
    logging.getLogger("recsys").info("starting Prefect …")
    from flows.ingest import ingest as flow

    typer.echo("\n".join(counts_lines(config, flow(str(config_file), list(overrides or ())))))


def main() -> int:
    """All commands; exit codes as `recsys.cli.main` says."""
    return answer()


def _set_up(config: "Config") -> None:
    """Settings of Prefect and MLflow, before either is imported, and progress on the terminal."""
    from tasks.settings import settle, settle_terminal

    settle(Path(config.store))
    settle_terminal()
    _show_progress()


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


def _show_results(card: "Scorecard", config: "Config", folder: Path) -> None:
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
