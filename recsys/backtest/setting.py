"""The stage of a replay: a store of its own, a log that ends where the first period begins, the rest still to come."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recsys import tracking
from recsys.backtest.replay import Period, in_order, periods
from recsys.code import code_digest
from recsys.config import Config, digest
from recsys.data.atomic import mark_used, new_folder
from recsys.data.idmap import IdMap
from recsys.data.prepare import usable
from recsys.data.schema import COLUMNS, ITEM, TIME
from recsys.feedback import database
from recsys.stages.log import digest_of
from recsys.stages.validate import accepted_log, tables, validate
from recsys.stages.workspace import located

BASE = "base"
EVENTS = "events.parquet"
FOLDERS = ("backtest", "data", "feedback", "hybrid", "metrics", "models", "promotion", "serving", "stages", "tuning")
"""Code that a replay depends on."""
SERVICE = (database.URL, tracking.URI, tracking.REGISTRY_URI)
"""What in the environment names the databases of the real service, in place of those of a store."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a replay needs; the same configuration, log and code give the same folder, where it goes on."""

    config: Config
    """Of the pipeline inside: its store is the folder of the replay, its log the events before the first period."""
    folder: Path
    events: pd.DataFrame
    """All events a model could learn from, in order."""
    items: IdMap
    """All items there are."""
    periods: list[Period]


def set_up(config: Config) -> Setting:
    """Judge the log by its contract, cut it into periods, and write the part that the first model learns from.

    Raises:
        ContractError: the log is not acceptable.
        InputError: the log cannot be read, or gives fewer than two periods.
    """
    config = located(config)
    validate(config)
    events = accepted_log(config).events
    events = in_order(events[usable(events, config.data)])
    spans = periods(events, config.backtest)
    key = digest(digest_of(config), config.model_dump(mode="json", exclude={"data", "store"}), code_digest(*FOLDERS))
    folder = Path(config.store) / "backtest" / f"{config.name}-{key[:8]}"
    path = folder / BASE / EVENTS
    if not path.is_file():
        columns = {name: getattr(config.data.columns, name) for name in COLUMNS}
        with new_folder(path.parent) as draft:
            before = events[events[TIME] < spans[0].begin]
            before.rename(columns=columns).to_parquet(draft / EVENTS, index=False)
    mark_used(folder)
    data = config.data.model_copy(update={"path": str(path.absolute()), "timestamp_unit": "s"})
    inside = config.model_copy(update={"store": str(folder), "data": data})
    catalogue = tables(config)[1]
    ids = events[ITEM] if catalogue is None else pd.concat([catalogue[ITEM], events[ITEM]])
    return Setting(inside, folder, events, IdMap.of(ids), spans)


@contextmanager
def apart() -> Iterator[None]:
    """Inside, every database is that of the store: a replay must not write to the service, nor move its champion."""
    named = {name: os.environ.pop(name) for name in SERVICE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(named)
