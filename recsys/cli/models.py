"""Commands on registered models: ask one, judge one, list them."""

from typing import Annotated

import typer

from recsys import config as configuration
from recsys.cli.app import (
    DEFAULT_STORE,
    MODELS,
    AsJson,
    ConfigFile,
    ModelUri,
    Overrides,
    Store,
    app,
    print_json,
    print_table,
    tell_progress,
)
from recsys.errors import InputError


@app.command(rich_help_panel=MODELS)
def recommend(
    model: ModelUri = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Whom to recommend for.")] = None,
    history: Annotated[
        str | None, typer.Option(metavar="ID,ID,…", help="Items somebody met, oldest first, instead of --user.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Recommend items to a user, known or not, or to somebody with a history."""
    if (user is None) == (history is None):
        raise InputError("whom to recommend for? Give --user ID, or --history ID,ID,… and not both")
    from recsys import tracking
    from recsys.feedback.store import forgotten_in
    from recsys.serving.load import load_engine

    tracking.open_store(store, create=False)
    engine = load_engine(model, forgotten_in(store))
    items = None if history is None else [[one.strip() for one in history.split(",") if one.strip()]]
    answer = engine.recommend(None if user is None else [user], items, k)
    if as_json:
        print_json(answer.to_dict("records"))
        return
    asked = f"user {user}" if history is None else f"history {history}"
    print_table(f"{engine.bundle.manifest.name}: {asked}", answer.drop(columns="user_id"))
    if answer["source"].eq("popularity").any() and engine.bundle.manifest.model != "popularity":
        typer.echo("Nothing usable is known about them: these are the popular items.")


@app.command(rich_help_panel=MODELS)
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
    from recsys.serving.judge import as_known, comparable
    from recsys.serving.load import pick
    from recsys.stages import preprocess, validate
    from recsys.stages.workspace import located, prepared_set

    tell_progress()
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
            as_known(split, bundle.data).test,
            split.for_test.interactions,
            item_features=split.data.item_features,
            seed=config.seed,
            progress=lambda done, _: progress.update(task, completed=done),
        ).aggregate
    if as_json:
        print_json({"model": version.uri, "judged": reason, "users": len(split.test), "test": scores})
        return
    import pandas as pd

    title = f"{version.uri} on {len(split.test):,} test users of {config.name}"
    print_table(title, pd.DataFrame({"metric": scores.keys(), "value": scores.values()}))
    typer.echo(f"Judged: {reason}.")


@app.command(rich_help_panel=MODELS)
def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only versions of this model.")] = None,
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """List versions with aliases and test scores."""
    from recsys import registry, stale, tracking

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
            "stale": one.tags.get(stale.STALE, ""),
        }
        for one in registry.versions(name)
    ]
    if as_json:
        print_json(rows)
    elif rows:
        import pandas as pd

        for model, table in pd.DataFrame(rows).groupby("model"):
            known = ["model"] if table["stale"].any() else ["model", "stale"]
            print_table(f"Versions of {model}", table.drop(columns=known))
    else:
        typer.echo(f"{name or 'The registry'} has no versions yet; make one with: recsys run CONFIG")
