"""Preprocessing: from a frame of events to a split of histories, with every dropped event counted."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from recsys.config import Config, DataSection
from recsys.data.dataset import Dataset
from recsys.data.features import Features, encode
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.data.leakage import leakage_check
from recsys.data.prepared import Prepared
from recsys.data.schema import EVENT, ITEM, RATING, REQUIRED, TIME, USER, BoolArray, FloatArray, IntArray, iso
from recsys.data.split import split
from recsys.errors import InputError

logger = logging.getLogger(__name__)

NO_FEATURES = Features(None, (), {})
UNTYPED = "(none)"
"""How an event without a type is called where weights are given."""


def prepare(
    events: pd.DataFrame,
    user_table: pd.DataFrame | None,
    item_table: pd.DataFrame | None,
    config: Config,
    digest: str = "",
    forgotten: int = 0,
) -> Prepared:
    """Clean, number, describe and split a log.

    Args:
        events: as `readers.read_events` gives them, after validation.
        user_table: attributes of users, as `readers.read_table` gives them; users without events are left out.
        item_table: the catalogue; its items keep a row even where nobody met them.
        config: `data`, `split` and `name` are read.
        digest: of the input, as the summary shall tell it.
        forgotten: events that are not given because their users were forgotten, to be counted.

    Raises:
        InputError: a column the configuration needs is missing, an event type has no weight, nothing is left, or a
            part of the split would be empty.
        LeakageError: the split is wrong; our fault.
    """
    missing = [name for name in REQUIRED if name not in events]
    if missing:
        seen = ", ".join(map(str, events.columns))
        raise InputError(f"the log has no {' and no '.join(missing)}; columns seen: {seen}; see [data.columns]")
    user_code, user_ids = pd.factorize(events[USER])
    item_code, item_ids = pd.factorize(events[ITEM])
    weight = event_weights(events, config.data)
    keep, dropped = _kept(events, user_code, item_code, weight, config.data)

    user, users = _number(user_code[keep], user_ids)
    item, items = _number(item_code[keep], item_ids, None if item_table is None else item_table[ITEM])
    of_users = NO_FEATURES if user_table is None else encode(user_table, USER, users)
    of_items = NO_FEATURES if item_table is None else encode(item_table, ITEM, items)
    time = events[TIME][keep].to_numpy(dtype=np.int64)
    shape = {"n_users": len(users), "n_items": len(items)}
    log = Interactions.build(user, item, time, weight[keep], **shape, features=of_users.matrix)
    parts = split(Dataset(log, users, items, of_items.matrix, of_users.names, of_items.names), config.split)

    n_distinct = len(parts.data.interactions)
    logger.info("prepared %d interactions of %d users and %d items", n_distinct, len(users), len(items))
    summary = {
        "name": config.name,
        "digest": digest,
        "users": len(users),
        "items": len(items),
        "interactions": n_distinct,
        "density": n_distinct / (len(users) * len(items)),
        "first": iso(time.min()),
        "last": iso(time.max()),
        "events_read": len(events) + forgotten,
        "dropped": {"forgotten": forgotten, **dropped, "repeated pair": len(log) - n_distinct},
        "user_features": len(of_users.names),
        "item_features": len(of_items.names),
        "skipped_attributes": {"users": of_users.skipped, "items": of_items.skipped},
        "split": leakage_check(parts, config.split.method),
    }
    return Prepared(parts, summary)


def event_weights(events: pd.DataFrame, data: DataSection) -> FloatArray:
    """[N] float32: the weight of each event's type; 1 where no weights are configured.

    Raises:
        InputError: a type has no weight, or there is no column of types.
    """
    if not data.event_weights:
        return np.ones(len(events), dtype=np.float32)
    if EVENT not in events and UNTYPED not in data.event_weights:
        raise InputError(
            f"data.event_weights is set, but the log has no column {data.columns.event_type!r}; "
            "remove event_weights, name the column in [data.columns] event_type, "
            f'or say what events without a type weigh: "{UNTYPED}" = 1'
        )
    code, found = pd.factorize(events[EVENT] if EVENT in events else pd.Series(pd.NA, events.index))
    kinds = [*map(str, found), UNTYPED]
    code[code < 0] = len(found)
    events_of = dict(zip(kinds, np.bincount(code, minlength=len(kinds)).tolist(), strict=True))
    unknown = {kind: n for kind, n in events_of.items() if n and kind not in data.event_weights}
    if unknown:
        counts = ", ".join(f"{kind} ({n} events)" for kind, n in unknown.items())
        raise InputError(
            f"event types without a weight: {counts}; weights given: {', '.join(data.event_weights)}. "
            f"Give each type a weight in [data.event_weights]; 0 leaves its events out, {UNTYPED} is no type"
        )
    return np.array([data.event_weights.get(kind, 0) for kind in kinds], dtype=np.float32)[code]


def usable(events: pd.DataFrame, data: DataSection) -> BoolArray:
    """Which events [N] a model could learn from: complete, not repeated, of weight, rated well enough; k-core aside."""
    user, item = pd.factorize(events[USER])[0], pd.factorize(events[ITEM])[0]
    return _kept(events, user, item, event_weights(events, data), data.model_copy(update={"k_core": 1}))[0]


def k_core(user: IntArray, item: IntArray, k: int) -> BoolArray:
    """Which events [N] are left when users and items with fewer than k events go, until none has fewer."""
    keep = np.arange(len(user))
    while k > 1:
        enough = np.ones(len(keep), dtype=bool)
        for codes in (user[keep], item[keep]):
            enough &= np.bincount(codes)[codes] >= k
        if enough.all():
            break
        keep = keep[enough]
    left = np.zeros(len(user), dtype=bool)
    left[keep] = True
    return left


def _kept(
    events: pd.DataFrame, user: IntArray, item: IntArray, weight: FloatArray, data: DataSection
) -> tuple[BoolArray, dict[str, int]]:
    """Which events [N] stay, and how many go for each reason; an event counts for the first that applies."""
    reasons = {
        "incomplete": (user < 0) | (item < 0) | events[TIME].isna().to_numpy(),
        "duplicate": _repeated_rows(events, user, item),
        "weight 0": weight == 0,
        "below min_rating": rated_below(events, data),
    }
    keep = np.ones(len(events), dtype=bool)
    dropped: dict[str, int] = {}
    for reason, bad in reasons.items():
        dropped[reason] = int((keep & bad).sum())
        keep &= ~bad
    core = k_core(user[keep], item[keep], data.k_core)
    dropped["k_core"] = int((~core).sum())
    keep[keep] = core
    if not keep.any():
        counts = ", ".join(f"{count} for {reason}" for reason, count in dropped.items() if count)
        raise InputError(
            f"none of {len(events)} events is left: dropped {counts or 'none'}; "
            "see data.k_core, data.min_rating and data.event_weights"
        )
    return keep, dropped


def _repeated_rows(events: pd.DataFrame, user_code: IntArray, item_code: IntArray) -> BoolArray:
    """Rows that say exactly what an earlier row says, in every column."""
    # From -1, which stands for a missing id: it has pairs of its own. So has a missing time one that nothing else has.
    pair = user_code * (item_code.max(initial=0) + 2) + item_code
    never = np.iinfo(np.int64).min
    columns: dict[str, Any] = {"pair": pair, TIME: events[TIME].to_numpy(np.int64, na_value=never)}
    columns |= {name: pd.factorize(events[name])[0] for name in (RATING, EVENT) if name in events}
    return pd.DataFrame(columns, copy=False).duplicated().to_numpy()


def rated_below(events: pd.DataFrame, data: DataSection) -> BoolArray:
    """Which events [N] have a rating below `min_rating`; none where no bound is configured.

    Raises:
        InputError: there is a bound, but no column of ratings.
    """
    if data.min_rating is None:
        return np.zeros(len(events), dtype=bool)
    if RATING not in events:
        raise InputError(
            f"data.min_rating is set, but the log has no column {data.columns.rating!r}; "
            "remove min_rating, or name the column in [data.columns] rating"
        )
    rating = pd.to_numeric(events[RATING], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return rating < data.min_rating


def _number(codes: IntArray, ids: Any, catalogue: "pd.Series[Any] | None" = None) -> tuple[IntArray, IdMap]:
    """Row numbers [N] int64 of factorised ids, and the map of the ids that occur; a catalogue's ids come first."""
    occurs = np.flatnonzero(np.bincount(codes, minlength=len(ids)))
    raw = pd.Series(ids)[occurs]
    numbers = IdMap.of(raw) if catalogue is None else IdMap.of(catalogue).extend(raw)
    row = np.zeros(len(ids), dtype=np.int64)
    row[occurs] = numbers.rows(raw)
    return row[codes], numbers
