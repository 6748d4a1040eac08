"""The frame of the command line: options that commands share, how they print, and the exit codes of all."""

import json
import logging
import sys
import tempfile
import traceback
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.config import STORE
from recsys.errors import InputError, full_disk

if TYPE_CHECKING:
    import pandas as pd

# Heavy libraries are imported by the commands that need them: `recsys --help` answers at once.

app = typer.Typer(
    name="recsys",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A recommender that retrains, judges and promotes itself. Start with: recsys run configs/demo.toml",
)

PIPELINE, LOOP, MODELS, OPERATIONS = "Pipeline", "The loop", "Models", "Operations"
"""Headings under which `recsys --help` lists the commands."""

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, such as configs/own-data.toml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a key of CONFIG; may be repeated."),
]
Store = Annotated[Path, typer.Option("--store", help="Folder for everything the pipeline writes.")]
DEFAULT_STORE = Path(STORE)
ModelUri = Annotated[
    str | None,
    typer.Option("--model", metavar="URI", help="models:/NAME@ALIAS or models:/NAME/VERSION. Default: the champion."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def main() -> int:
    """Run the command line.

    Returns:
        0 done, 1 our fault (the traceback lies in a file that is named), 2 wrong input, 130 interrupted.
    """
    # What an old terminal, or a pipe on Windows, has no sign for is no reason to fail.
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except InputError as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if full := full_disk(error):
            print(f"recsys: {full}", file=sys.stderr)
            return 2
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="recsys-", suffix=".log", delete=False
        ) as log:
            traceback.print_exc(file=log)
        print(f"recsys: our fault: {type(error).__name__}: {error}\nTraceback: {log.name}", file=sys.stderr)
        return 1
    return 0


def tell_progress() -> None:
    """What the library logs goes to stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("recsys").setLevel(logging.INFO)


def print_json(content: Any) -> None:
    """Plain values and numpy's, for scripts."""
    typer.echo(json.dumps(content, indent=1, default=lambda value: value.item()))


def print_table(title: str, frame: "pd.DataFrame") -> None:
    """A frame as a table for people, numbers to the right; what a narrow terminal has no room for goes on below."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in frame.columns:
        table.add_column(str(name), justify="right" if frame[name].dtype.kind in "if" else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    Console().print(table)
