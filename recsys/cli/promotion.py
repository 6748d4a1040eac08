"""Commands on who is champion: force a version, go back to the one before, list every change."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.app import DEFAULT_STORE, MODELS, AsJson, ModelUri, Store, app, print_json, print_table
from recsys.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from recsys.registry import Version

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the model; needless where there is one.")]
Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason; it is kept with the change.")]


@app.command(rich_help_panel=MODELS)
def promote(
    model: ModelUri = None,
    force: Annotated[bool, typer.Option("--force", help="Decide against, or without, the gate.")] = False,
    why: Why = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """Make a version the champion by your own decision; needs --force and --why."""
    if not force:
        raise InputError(
            "the gate decides who becomes champion: recsys run CONFIG makes a challenger and judges it. To decide "
            "yourself, add --force --why TEXT; both are written on the version"
        )
    reason = _reason(why)
    if reason is None:
        raise InputError("--force needs --why TEXT: whoever reads recsys history later will ask")
    if model is None:
        raise InputError("which version? Give --model models:/NAME/NUMBER; recsys models lists them")
    from recsys import registry, tracking
    from recsys.serving.load import pick

    tracking.open_store(store, create=False)
    version = pick(model, registry.versions())
    against = registry.champion(version.model)
    try:
        registry.promote(version.model, version.number, {}, against=against, why=reason)
    except registry.ChampionChangedError as error:
        raise InputError(
            f"the champion of {version.model} changed at this very moment; look at recsys history {version.model}, "
            "and ask again if you still want to"
        ) from error
    if against == version.number:
        typer.echo(f"{version.model}: version {version.number} is the champion already; nothing was changed")
        return
    old = "; there was no champion" if against is None else f", in place of version {against}"
    typer.echo(f"{version.model}: version {version.number} is champion by your decision{old}")
    for failed in _failed(version.tags):
        typer.echo(f"The gate had said: {failed}")
    _tell_stale(version)


@app.command(rich_help_panel=MODELS)
def rollback(name: Name = None, why: Why = None, store: Store = DEFAULT_STORE) -> None:
    """Make the previous champion the champion again."""
    from recsys import registry, tracking

    tracking.open_store(store, create=False)
    known = registry.versions()
    name = name or _only({one.model for one in known if registry.PREVIOUS in one.aliases}) or _which(known)
    old, new = registry.rollback(name, _reason(why))
    was = "a version that was deleted" if old is None else f"version {old}"
    typer.echo(f"{name}: version {new} is champion again, in place of {was}")
    _tell_stale(next(one for one in known if (one.model, one.number) == (name, new)))


@app.command(rich_help_panel=MODELS)
def history(name: Name = None, store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List every change of champion: when, who decided, and why."""
    from recsys import registry, tracking

    tracking.open_store(store, create=False)
    known = registry.versions()
    names = sorted({one.model for one in known})
    if name is not None and name not in names:
        raise InputError(f"no model is called {name!r}: {did_you_mean(name, names)}")
    name = name or _which(known)
    rows = [
        {"time": one.time, "from": one.old, "to": one.new, "by": one.kind, "why": one.why}
        for one in registry.history(name)
    ]
    if as_json:
        print_json(rows)
    elif rows:
        import pandas as pd

        words = [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in rows]
        print_table(f"Champions of {name}", pd.DataFrame(words))
    else:
        typer.echo(f"{name} has had no champion yet; recsys run CONFIG makes a challenger and judges it")


def _reason(why: str | None) -> str | None:
    """What a person said, in one piece; none where it says nothing."""
    from recsys.records import LONGEST_WHY

    said = " ".join((why or "").split())
    if len(said) > LONGEST_WHY:
        raise InputError(f"--why has {len(said):,} characters; allowed: {LONGEST_WHY:,}")
    return said or None


def _failed(tags: Mapping[str, str]) -> list[str]:
    """Sentences of the last verdict on a version that speak against it; none where it passed, or was never judged."""
    if tags.get("promotion.promoted") != "false":
        return []
    reasons = tags.get("promotion.reasons", "").splitlines()
    return [one for one in reasons if ": passed" not in one]


def _tell_stale(version: "Version") -> None:
    """Who brings back a version that has to go is told so."""
    from recsys.stale import STALE

    if why := version.tags.get(STALE):
        typer.echo(f"Version {version.number} is stale: {why}. Replace it soon: recsys retrain CONFIG")


def _only(names: set[str]) -> str | None:
    return names.pop() if len(names) == 1 else None


def _which(known: Sequence["Version"]) -> str:
    """The only model there is."""
    names = {one.model for one in known}
    name = _only(set(names))
    if name is None:
        raise InputError(f"which model? Name one of: {', '.join(sorted(names)) or 'none is registered yet'}")
    return name
