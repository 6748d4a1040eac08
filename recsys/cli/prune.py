"""The command that makes room: what a store keeps beyond the rules of `[retention]` is told, and removed with --yes."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys import config as configuration
from recsys.cli.app import OPERATIONS, AsJson, ConfigFile, Overrides, app, print_json, print_table, tell_progress

if TYPE_CHECKING:
    import pandas as pd

    from recsys.stages.prune import Item

Yes = Annotated[bool, typer.Option("--yes", help="Remove it. Without, nothing is touched.")]


@app.command(rich_help_panel=OPERATIONS)
def prune(config_file: ConfigFile, overrides: Overrides = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Tell which old runs, versions and results go by the rules of [retention]; with --yes, remove them."""
    config = configuration.load(config_file, overrides or ())
    from recsys import retention, tracking
    from recsys.stages.prune import prune as remove
    from recsys.stages.prune import rules, survey

    tracking.open_store(config.store, create=False)
    tell_progress()
    items = remove(config) if yes else survey(config)
    if as_json:
        print_json([{"kind": one.kind, "name": one.name, "mib": one.mib, "stays": one.stays} for one in items])
        return
    going = [one for one in items if one.stays is None]
    room = f"{len(going):,} things, {sum(one.mib for one in going):,.1f} MiB"
    if yes:
        typer.echo(f"{config.name}: removed {room}, from {config.store}")
        if going and retention.are_rows_left():
            typer.echo("Runs are hidden now, their artifacts are gone; their rows go by mlflow gc, on MLflow's server")
        return
    print_table(f"{config.name} in {config.store}", _table(items, rules(config)))
    typer.echo(f"Nothing was touched; --yes removes {room}" if going else "There is nothing to remove")


def _table(items: "list[Item]", told: dict[str, str]) -> "pd.DataFrame":
    """A row a kind: how many go, how large they are, how many stay and by which rule."""
    import pandas as pd

    rows = []
    for kind, rule in told.items():
        own = [one for one in items if one.kind == kind]
        going = [one for one in own if one.stays is None]
        rows.append(
            {
                "what": kind,
                "goes": len(going),
                "MiB": f"{sum(one.mib for one in going):,.1f}",
                "stays": len(own) - len(going),
                "what stays": rule,
            }
        )
    return pd.DataFrame(rows)
