"""Commands on feedback: add events of what was shown and what was done about it."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.app import Store, app, tell_progress

feedback = typer.Typer(no_args_is_help=True, help="Events of what was shown and what was done about it.")
app.add_typer(feedback, name="feedback")


@feedback.command()
def add(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON lines; - for standard input.")],
    store: Store = Path("mlruns"),
) -> None:
    """Add events to the feedback store; lines that are no events go to its quarantine."""
    from recsys.feedback.read import reading
    from recsys.feedback.store import Counts, open_store

    def acknowledge(counts: Counts) -> None:
        logging.getLogger("recsys").info("feedback: %s lines are safe", f"{counts.read:,}")

    tell_progress()
    source = "standard input" if file == "-" else file
    with reading(file) as records, open_store(store) as opened:
        counts = opened.append(records, source, acknowledge)
    lines = f"{counts.quarantined:,} line{'' if counts.quarantined == 1 else 's'}"
    typer.echo(
        f"{source}: {counts.inserted:,} events added, {counts.duplicates:,} were there already, {lines} in quarantine"
    )
    for one in counts.examples:
        typer.echo(f"  line {one.line}: {one.reason}")
    if counts.quarantined > len(counts.examples):
        typer.echo(f"  … and {counts.quarantined - len(counts.examples):,} more")
    typer.echo(f"Store: {opened.where}")
