"""The command line: every command but `run`, and the exit codes of all (0 done, 2 your input, 1 our fault)."""

import json
import logging
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys import config as configuration
from recsys.errors import InputError

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
data = typer.Typer(no_args_is_help=True, help="Data sets that are fetched by name.")
app.add_typer(data, name="data")
feedback = typer.Typer(no_args_is_help=True, help="Events of what was shown and what was done about it.")
app.add_typer(feedback, name="feedback")

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, such as configs/own-data.toml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a key of CONFIG; may be repeated."),
]
Store = Annotated[Path, typer.Option("--store", help="Folder for everything the pipeline writes.")]
ModelUri = Annotated[
    str | None,
    typer.Option("--model", metavar="URI", help="models:/NAME@ALIAS or models:/NAME/VERSION. Default: the champion."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@data.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="movielens-100k, or synthetic?users=1000&items=500.")],
    store: Store = Path("mlruns"),
) -> None:
    """Fetch a data set into the local cache, checked by SHA-256."""
    from recsys.data import sources

    _tell_progress()
    found = sources.fetch(name, store)
    typer.echo(f"{name}: {'already there, from' if found.from_cache else 'fetched from'} {found.origin}")
    typer.echo("\n".join(f"  {path}" for path in (found.events, found.users, found.items)))


@app.command()
def validate(config_file: ConfigFile, overrides: Overrides = None) -> None:
    """Check the data against the contract; write the report whatever the verdict."""
    config = configuration.load(config_file, overrides or ())
    from recsys.stages.validate import validate as stage
    from recsys.stages.workspace import located

    _tell_progress()
    report, _ = stage(located(config))
    typer.echo(
        f"{config.name}: the data contract holds for {report.accepted:,} of {report.rows:,} rows"
        + (f"; {report.quarantined:,} set aside in {report.quarantine_file}" if report.quarantined else "")
    )
    for rule in report.failed:
        typer.echo(f"  {rule.severity}: {rule.rule}: {rule.message}")
    typer.echo(f"Report: {report.page}")


@app.command()
def recommend(
    model: ModelUri = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Whom to recommend for.")] = None,
    history: Annotated[
        str | None, typer.Option(metavar="ID,ID,…", help="Items somebody met, oldest first, instead of --user.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    store: Store = Path("mlruns"),
    as_json: AsJson = False,
) -> None:
    """Recommend items to a user, known or not, or to somebody with a history."""
    if (user is None) == (history is None):
        raise InputError("whom to recommend for? Give --user ID, or --history ID,ID,… and not both")
    from recsys import tracking
    from recsys.serving.load import load_engine

    tracking.open_store(store, create=False)
    engine = load_engine(model)
    items = None if history is None else [[one.strip() for one in history.split(",") if one.strip()]]
    answer = engine.recommend(None if user is None else [user], items, k)
    if as_json:
        _print_json(answer.to_dict("records"))
        return
    asked = f"user {user}" if history is None else f"history {history}"
    _print_table(f"{engine.bundle.manifest.name}: {asked}", answer.drop(columns="user_id"))
    if answer["source"].eq("popularity").any() and engine.bundle.manifest.model != "popularity":
        typer.echo("Nothing usable is known about them: these are the popular items.")


@app.command()
def evaluate(
    config_file: ConfigFile, model: ModelUri = None, overrides: Overrides = None, as_json: AsJson = False
) -> None:
    """Score a registered model on the test part of the data of CONFIG, never on events it was trained on."""
    config = configuration.load(config_file, overrides or ())
    from rich.console import Console
    from rich.progress import Progress

    from recsys import registry, tracking
    from recsys.metrics import evaluation as metrics
    from recsys.serving.bundle import Bundle
    from recsys.serving.judge import comparable
    from recsys.serving.load import pick
    from recsys.stages import preprocess, validate
    from recsys.stages.workspace import located, prepared_set

    _tell_progress()
    tracking.open_store(config.store, create=False)
    version = pick(model or config.model_name, registry.versions())
    bundle = Bundle.load(registry.download(version))
    config = located(config)
    validate.validate(config)
    split = prepared_set(preprocess.preprocess(config)[0]).split
    scorer, reason = comparable(bundle, split, config.split.method)
    if scorer is None:
        raise InputError(
            f"{version.uri} cannot be judged on the test of {config.name}: {reason}. "
            "Bring newer events, or judge an older version (recsys models lists them)"
        )
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scoring test users", total=len(split.test))
        scores = metrics.evaluate(
            scorer,
            split.test,
            split.for_test.interactions,
            item_features=split.data.item_features,
            seed=config.seed,
            progress=lambda done, _: progress.update(task, completed=done),
        ).aggregate
    if as_json:
        _print_json({"model": version.uri, "judged": reason, "users": len(split.test), "test": scores})
        return
    import pandas as pd

    title = f"{version.uri} on {len(split.test):,} test users of {config.name}"
    _print_table(title, pd.DataFrame({"metric": scores.keys(), "value": scores.values()}))
    typer.echo(f"Judged: {reason}.")


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only versions of this model.")] = None,
    store: Store = Path("mlruns"),
    as_json: AsJson = False,
) -> None:
    """List versions with aliases and test scores."""
    from recsys import registry, tracking

    tracking.open_store(store, create=False)
    rows = [
        {
            "model": one.model,
            "version": one.number,
            "aliases": ", ".join(one.aliases),
            "hybrid": one.tags.get("hybrid", ""),
            "fitted_on": one.tags.get("fitted_on", ""),
            "ndcg@10": one.tags.get("test.ndcg_at_10", ""),
            "made": f"{one.created:%Y-%m-%d %H:%M} UTC",
        }
        for one in registry.versions(name)
    ]
    if as_json:
        _print_json(rows)
    elif rows:
        import pandas as pd

        _print_table("Registered models", pd.DataFrame(rows))
    else:
        typer.echo(f"{name or 'The registry'} has no versions yet; make one with: recsys run CONFIG")


@app.command()
def rollback(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Default: the one that can be.")] = None,
    store: Store = Path("mlruns"),
) -> None:
    """Make the previous champion the champion again."""
    from recsys import registry, tracking

    tracking.open_store(store, create=False)
    if name is None:
        known = registry.versions()
        names = sorted({one.model for one in known if registry.PREVIOUS in one.aliases} or {one.model for one in known})
        if len(names) != 1:
            raise InputError(f"which model? Name one of: {', '.join(names) or 'none is registered yet'}")
        name = names[0]
    old, new = registry.rollback(name)
    was = "a version that was deleted" if old is None else f"version {old}"
    typer.echo(f"{name}: version {new} is champion again, in place of {was}")


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

    _tell_progress()
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


def main() -> int:
    """Run the command line.

    Returns:
        0 done, 1 our fault (the traceback lies in a file that is named), 2 wrong input, 130 interrupted.
    """
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
        with tempfile.NamedTemporaryFile("w", prefix="recsys-", suffix=".log", delete=False) as log:
            traceback.print_exc(file=log)
        print(f"recsys: our fault: {type(error).__name__}: {error}\nTraceback: {log.name}", file=sys.stderr)
        return 1
    return 0


def _tell_progress() -> None:
    """What the library logs goes to stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("recsys").setLevel(logging.INFO)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=1, default=lambda value: value.item()))


def _print_table(title: str, frame: "pd.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in frame.columns:
        table.add_column(str(name), justify="right" if frame[name].dtype.kind in "if" else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    Console().print(table)
