"""Commands on feedback: add events, see what was set aside, forget a user."""

import logging
from typing import Annotated

import typer

from recsys.cli.app import DEFAULT_STORE, LOOP, AsJson, Store, app, print_json, tell_progress

feedback = typer.Typer(no_args_is_help=True, help="Events of what was shown and what was done about it.")
app.add_typer(feedback, name="feedback", rich_help_panel=LOOP)


@feedback.command()
def add(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON lines; - for standard input.")],
    store: Store = DEFAULT_STORE,
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
    told = f"{counts.inserted:,} events added, {counts.duplicates:,} were there already, {lines} in quarantine"
    if counts.forgotten:
        told += f", {counts.forgotten:,} of forgotten users left out"
    typer.echo(f"{source}: {told}")
    for one in counts.examples:
        typer.echo(f"  line {one.line}: {one.reason}")
    if counts.quarantined > len(counts.examples):
        typer.echo(f"  … and {counts.quarantined - len(counts.examples):,} more")
    typer.echo(f"Store: {opened.where}")


@feedback.command()
def quarantine(store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List the lines that were set aside, the oldest first, each with the reason."""
    from recsys.feedback.store import store_if_there

    with store_if_there(store) as opened:
        lines = opened.quarantined() if opened else []
    if as_json:
        print_json(lines)
        return
    for line in lines:
        typer.echo(f"{line['source']}, line {line['line']}: {line['reason']}\n  {line['raw']}")
    typer.echo(
        f"{len(lines):,} line{'' if len(lines) == 1 else 's'} in quarantine" if lines else "Nothing in quarantine"
    )


@app.command(rich_help_panel=LOOP)
def forget(
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Whom to forget.")],
    store: Store = DEFAULT_STORE,
    delete_versions: Annotated[
        bool,
        typer.Option("--delete-versions", help="Delete models that hold the user, but no champion and none before it."),
    ] = False,
) -> None:
    """Forget a user: delete what was collected and computed, and mark models that learnt from them stale."""
    from recsys.stages.forget import forget as forget_user

    gone = forget_user(store, user, delete_versions=delete_versions)
    typer.echo(f"{user} is forgotten. Gone are:")
    typer.echo(f"  events in the feedback store: {gone.events:,}")
    typer.echo(f"  lines in its quarantine: {gone.quarantined:,}")
    typer.echo(f"  events in training logs: {gone.ingested:,}")
    typer.echo(f"  recommendations in batches: {gone.recommendations:,}")
    typer.echo(f"  folders of results, which are computed again when needed: {gone.computed:,}")
    for version in gone.deleted:
        typer.echo(f"  the model {version}, with its artifacts")
    for version in gone.stale:
        typer.echo(f"Stale, because it holds the user: {version}")
    if gone.stale:
        typer.echo("The next training does without the user: recsys retrain CONFIG")
