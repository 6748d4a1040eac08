"""What each version showed and what came of it, and how far what is taken has moved from the champion's log.

Impressions count from a second on, each with all that was done about it since; responses count by their own time.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

import numpy as np
import pandas as pd

from recsys import registry
from recsys.config import Config, Section
from recsys.data.contract import DAY
from recsys.data.schema import EVENT, ITEM, TIME, USER, iso
from recsys.errors import InputError
from recsys.feedback.database import is_there
from recsys.feedback.event import IMPRESSION, MOMENT, said_of
from recsys.feedback.store import open_store
from recsys.metrics.drift import popularity_shift, unknown_share
from recsys.metrics.intervals import wilson
from recsys.registry import Version
from recsys.serving.bundle import Bundle
from recsys.stages.retraining import champion

BANDS: Final = {"1": (1, 1), "2–3": (2, 3), "4–10": (4, 10)}
"""Positions that are looked at together."""
NO_VERSION: Final = "(none)"
"""How impressions are called that name no version."""
REQUEST, ANSWERED, VERSION, POSITION = "request_id", "answered", "model_version", "position"
SHOWN: Final = (VERSION, REQUEST, USER, ITEM, POSITION, TIME, ANSWERED)
TAKEN: Final = (USER, ITEM, EVENT, TIME)
_said = attrgetter(*SHOWN[:-1])
_done = attrgetter(*TAKEN)


class Rate(Section):
    """A share of impressions that was answered, with its 95% interval (Wilson)."""

    impressions: int
    answered: int
    """Impressions with a response at least."""
    value: float
    lo: float
    hi: float


class Served(Section):
    """What one version showed."""

    version: str
    """Number in the registry, or what else the events call it."""
    impressions: int
    requests: int
    users: int
    click_through: Rate
    by_position: dict[str, Rate]
    """Positions -> rate, where anything was shown there."""
    coverage: float | None
    """Share of the version's catalogue that was shown; this and what follows is none for what is not registered."""
    unknown_users: float | None
    """Share of requests of users its log did not know."""
    fallback: float | None
    """Share of requests that only popularity could answer: of these users, who had done nothing since either."""


class Moved(Section):
    """What was taken, against the log of the champion."""

    champion: int
    responses: int
    popularity_shift: float
    """Jensen–Shannon distance of the items, 0 to 1."""
    expected_shift: float
    """What as many responses would show by chance."""
    unknown_users: float
    """Share of responses of users that the log does not know."""
    unknown_items: float
    """Share of responses on items that the catalogue does not have."""


class Day(Section):
    """A day, UTC."""

    day: str
    impressions: int
    answered: int
    responses: int
    users: int
    """To whom something was shown."""


class Watched(Section):
    """All that a look at the feedback store found."""

    name: str
    """Of the configuration."""
    model: str
    since: str
    until: str
    impressions: int
    responses: int
    versions: tuple[Served, ...]
    """By number."""
    drift: Moved | None
    """None where there is no champion or nothing was taken."""
    daily: tuple[Day, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to look at."""
        return not (self.impressions or self.responses)


def beginning(since: str | None, days: float) -> int:
    """Seconds since 1970 from which on to look.

    Args:
        since: a moment as a person writes it; none: so many days back.
        days: how many.

    Raises:
        InputError: `since` is no moment, or none at which anything can have been shown.
    """
    now = datetime.now(UTC).timestamp()
    if since is None:
        return int(now - days * DAY)
    seconds = said_of({TIME: since}, TIME)
    if seconds is None or not 0 <= seconds <= now + DAY:  # clocks of events may be a day ahead
        raise InputError(
            f"{since!r} is no moment from 1970 to now; allowed: {MOMENT}, such as 2026-03-01 or 2026-03-01T12:00+01:00"
        )
    return int(seconds)


def watch(config: Config, since: int) -> Watched:
    """Look at what was shown and taken from a second on; the tracking store is open, where there is feedback.

    Raises:
        InputError: the feedback store does not answer.
    """
    shown, taken, first = _read(config, since)
    named = {version.number: version for version in registry.versions(config.model_name)} if len(shown) else {}
    called = shown[VERSION].fillna(NO_VERSION)
    shown[VERSION] = called.map({name: _called(name, config.model_name) for name in called.unique()})
    names = sorted(set(shown[VERSION]), key=lambda name: (not name.isdigit(), len(name), name))
    return Watched(
        name=config.name,
        model=config.model_name,
        since=iso(since),
        until=iso(datetime.now(UTC).timestamp()),
        impressions=len(shown),
        responses=len(taken),
        versions=tuple(_served(name, shown[shown[VERSION] == name], _bundle(name, named), first) for name in names),
        drift=_moved(config, taken),
        daily=_daily(shown, taken),
    )


def _read(config: Config, since: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Impressions and responses from a second on, and when each user did anything first."""
    shown, taken, first = [], [], dict[str, int]()
    if is_there(config.store):
        with open_store(config.store) as feedback:
            for one in feedback.shown(since):
                shown.append((*_said(one.impression), bool(one.responses)))
            for batch in feedback.after():
                for event in batch.events:
                    if event.event_type == IMPRESSION:
                        continue
                    first[event.user_id] = min(event.timestamp, first.get(event.user_id, event.timestamp))
                    if event.timestamp >= since:
                        taken.append(_done(event))
    frame = pd.DataFrame(shown, columns=list(SHOWN))
    frame[POSITION] = pd.to_numeric(frame[POSITION])
    return frame, pd.DataFrame(taken, columns=list(TAKEN)), first


def _called(name: str, model: str) -> str:
    """A version as the registry numbers it, where the event says so in any of the usual ways."""
    number = re.fullmatch(rf"(?:(?:models:/)?{re.escape(model)}/)?v?0*(\d+)", name)
    return number[1] if number else name


def _bundle(name: str, named: Mapping[int, Version]) -> Bundle | None:
    found = named.get(int(name)) if name.isdigit() else None
    return None if found is None else Bundle.load(registry.download(found))


def _served(name: str, shown: pd.DataFrame, bundle: Bundle | None, first: Mapping[str, int]) -> Served:
    requests = shown.drop_duplicates(REQUEST)
    coverage = unknown_users = fallback = None
    if bundle is not None:
        data = bundle.data
        rows = data.items.rows(shown[ITEM].unique())
        coverage = float((rows >= 0).sum() / len(data.items))
        user = data.users.rows(requests[USER])
        unknown = (user < 0) | (data.interactions.lengths[user] == 0)
        begun = requests[USER].map(first).to_numpy(np.float64, na_value=np.inf)
        unknown_users = float(unknown.mean())
        fallback = float((unknown & (begun >= requests[TIME])).mean())
    bands = {band: shown[shown[POSITION].between(*ends)] for band, ends in BANDS.items()}
    return Served(
        version=name,
        impressions=len(shown),
        requests=len(requests),
        users=shown[USER].nunique(),
        click_through=_rate(shown),
        by_position={band: _rate(rows) for band, rows in bands.items() if len(rows)},
        coverage=coverage,
        unknown_users=unknown_users,
        fallback=fallback,
    )


def _rate(shown: pd.DataFrame) -> Rate:
    answered = int(shown[ANSWERED].sum())
    lo, hi = wilson(answered, len(shown))
    return Rate(impressions=len(shown), answered=answered, value=answered / len(shown), lo=lo, hi=hi)


def _moved(config: Config, taken: pd.DataFrame) -> Moved | None:
    """Of the responses that a model would learn from."""
    weights = config.data.event_weights
    if weights:
        taken = taken[taken[EVENT].map(weights).fillna(0) > 0]
    version = champion(config) if len(taken) else None
    if version is None:
        return None
    data = Bundle.load(registry.download(version)).data
    everything = data.items.extend(taken[ITEM][data.items.rows(taken[ITEM]) < 0])
    learnt, recent = (
        np.bincount(rows, minlength=len(everything)) for rows in (data.interactions.item, everything.rows(taken[ITEM]))
    )
    shift = popularity_shift(learnt, recent, seed=config.seed)
    return Moved(
        champion=version.number,
        responses=len(taken),
        popularity_shift=shift.value,
        expected_shift=shift.expected,
        unknown_users=unknown_share(data.users, taken[USER]),
        unknown_items=unknown_share(data.items, taken[ITEM]),
    )


def _daily(shown: pd.DataFrame, taken: pd.DataFrame) -> tuple[Day, ...]:
    of_shown, of_taken = (pd.to_datetime(frame[TIME], unit="s").dt.strftime("%Y-%m-%d") for frame in (shown, taken))
    days = shown.groupby(of_shown).agg(impressions=(ITEM, "size"), answered=(ANSWERED, "sum"), users=(USER, "nunique"))
    days = days.join(taken.groupby(of_taken).size().rename("responses"), how="outer").fillna(0).astype(int)
    return tuple(
        Day.model_validate({"day": day, **counts}) for day, counts in days.sort_index().to_dict("index").items()
    )
