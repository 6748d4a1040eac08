"""Commands on data: fetch a named set, hold a log against its contract."""

from typing import Annotated

import typer

from recsys import config as configuration
from recsys.cli.app import DEFAULT_STORE, PIPELINE, ConfigFile, Overrides, Store, app, tell_progress

data = typer.Typer(no_args_is_help=True, help="Data sets that are fetched by name.")
app.add_typer(data, name="data", rich_help_panel="Data")


@data.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="movielens-100k, or synthetic?users=1000&items=500.")],
    store: Store = DEFAULT_STORE,
) -> None:
    """Fetch a data set into the local cache, checked by SHA-256."""
    from recsys.data import sources

    tell_progress()
    found = sources.fetch(name, store)
    typer.echo(f"{name}: {'already there, from' if found.from_cache else 'fetched from'} {found.origin}")
    typer.echo("\n".join(f"  {path}" for path in (found.events, found.users, found.items)))


@app.command(rich_help_panel=PIPELINE)
def validate(config_file: ConfigFile, overrides: Overrides = None) -> None:
    """Check the data against the contract; write the report whatever the verdict."""
    config = configuration.load(config_file, overrides or ())
    from recsys.stages.validate import validate as stage
    from recsys.stages.workspace import located

    tell_progress()
    report, _ = stage(located(config))
    typer.echo(
        f"{config.name}: the data contract holds for {report.accepted:,} of {report.rows:,} rows"
        + (f"; {report.quarantined:,} set aside in {report.quarantine_file}" if report.quarantined else "")
    )
    for rule in report.failed:
        typer.echo(f"  {rule.severity}: {rule.rule}: {rule.message}")
    typer.echo(f"Report: {report.page}")
