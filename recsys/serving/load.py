"""From what a person calls a model to an engine that answers."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recsys import registry
from recsys.errors import InputError, did_you_mean
from recsys.registry import CHAMPION, Version
from recsys.serving.bundle import Bundle
from recsys.serving.recommender import Engine

if TYPE_CHECKING:
    from recsys.feedback.forgetting import Forgotten

SCHEME = "models:/"


def load_engine(uri: str | None = None, forgotten: "Forgotten | None" = None) -> Engine:
    """The engine of a registered version.

    Args:
        uri: as `pick` takes it.
        forgotten: users whom it answers like strangers, though the version may still hold what they did.

    Raises:
        InputError: there is no such version, or several could be meant.
    """
    bundle = Bundle.load(registry.download(pick(uri, registry.versions())))
    return Engine(bundle if forgotten is None else bundle.without(forgotten))


def pick(uri: str | None, known: Sequence[Version]) -> Version:
    """The version a person means.

    Args:
        uri: `models:/NAME@ALIAS`, `models:/NAME/3`, `models:/NAME/latest`, the same without `models:/`, NAME (its
            champion), a number or an alias where there is one model with it; none: the champion.
        known: all versions, oldest first.

    Raises:
        InputError: there is no such version, or several could be meant.
    """
    if not known:
        raise InputError("the registry holds no model yet; make one with: recsys run CONFIG")
    names = sorted({one.model for one in known})
    name, mark = _parts((uri or CHAMPION).removeprefix(SCHEME).strip("/"), names, known)
    if name is not None and name not in names:
        raise InputError(f"no model is called {name!r}: {did_you_mean(name, names)}")
    asked = [one for one in known if name in (None, one.model)]
    found = [one for one in asked if mark in (str(one.number), *one.aliases)]
    if mark == "latest":
        # The list is ordered by model, then number: the last of each model stays.
        found = list({one.model: one for one in asked}.values())
    if len(found) == 1:
        return found[0]
    if found:
        which = ", ".join(f"{SCHEME}{one.model}{'@' if mark in one.aliases else '/'}{mark}" for one in found)
        raise InputError(f"{uri or CHAMPION} could be any of {len(found)} models; name one: {which}")
    listed = ", ".join(map(str, asked))
    raise InputError(f"no version of {name or 'any model'} is {mark!r}; there are: {listed}")


def _parts(text: str, names: Sequence[str], known: Sequence[Version]) -> tuple[str | None, str]:
    """Name of the model, where there is one, and number or alias."""
    if match := re.fullmatch(r"(.+)[@/]([^@/]+)", text):
        return match[1], match[2]
    marks = {CHAMPION, "latest"}.union(*((str(one.number), *one.aliases) for one in known))
    return (None, text) if text in marks and text not in names else (text, CHAMPION)
