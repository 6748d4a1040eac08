"""Commands round a champion: `recsys ingest`, `recsys batch-recommend`, `recsys monitor`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.start import started
from flows.form import LEAST_DAYS, MOST_DAYS, MOST_ITEMS
from recsys import config as configuration
from recsys.cli.app import LOOP, AsJson, ConfigFile, ModelUri, Overrides, app, print_json, print_table


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
