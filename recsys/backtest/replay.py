"""The log as it came in: what the first model learns from, then periods, and in each the visits to be answered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from recsys.config import BacktestSection
from recsys.data.contract import DAY
from recsys.data.schema import ITEM, TIME, USER
from recsys.errors import InputError

MINUTE = 60
FEWEST_PERIODS = 2
Raw = list[Any]
"""Raw ids."""


@dataclass(frozen=True)
class Period:
    """Events from `begin` up to and without `end`, seconds."""

    number: int
    begin: int
    end: int

    def of(self, events: pd.DataFrame) -> pd.DataFrame:
        """The events of the period."""
        return events[events[TIME].between(self.begin, self.end, inclusive="left")]

    def __str__(self) -> str:
        return f"{_date(self.begin)} to {_date(self.end - 1)}"


@dataclass(frozen=True, eq=False)
class Visits:
    """V answers that were wanted: who, what they had met until then, what they took that was new to them."""

    users: Raw
    histories: list[Raw]
    """Items met before the visit, oldest first, each once."""
    truths: list[Raw]
    """Items first met during the visit; never empty."""

    def __len__(self) -> int:
        return len(self.users)


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events by time; of equal times in the order of the log."""
    return events.sort_values(TIME, kind="stable", ignore_index=True)


def periods(events: pd.DataFrame, config: BacktestSection) -> list[Period]:
    """The periods after the first share of the events, the last one perhaps cut short.

    Args:
        events: in order.
        config: `start` and `period_days`.

    Raises:
        InputError: there are fewer than two, such as where timestamps are places in a history.
    """
    times = events[TIME].to_numpy(np.int64)
    length = round(config.period_days * DAY)
    begin, last = int(times[round(len(times) * config.start)]), int(times[-1])
    found = [Period(number, at, at + length) for number, at in enumerate(range(begin, last + 1, length), start=1)]
    if len(found) < FEWEST_PERIODS:
        raise InputError(
            f"a backtest needs {FEWEST_PERIODS} periods at least; after the first {config.start:.0%} of the events the "
            f"log spans {(last - begin) / DAY:.1f} days, {len(found)} periods of {config.period_days:g} days. "
            "Lower backtest.period_days or backtest.start; timestamps have to be times, not places in a history"
        )
    return found


def visits(events: pd.DataFrame, period: Period, minutes: float) -> Visits:
    """The visits of a period that took something new.

    A visit is a run of events of one user, each at most `minutes` after the one before; it is answered at its first
    event, so that nothing of it is known yet.

    Args:
        events: in order, those before the period among them.
        period: whose visits.
        minutes: longest pause inside a visit.
    """
    users, histories, truths = [], [], []
    present = period.of(events)[USER].unique()
    until = events[events[USER].isin(present) & (events[TIME] < period.end)]
    for user, own in until.groupby(USER, sort=True):
        for history, truth in _visits_of(own, period.begin, minutes):
            users.append(user)
            histories.append(history)
            truths.append(truth)
    return Visits(users, histories, truths)


def _visits_of(own: pd.DataFrame, begin: int, minutes: float) -> Iterator[tuple[Raw, Raw]]:
    """What one user had met, and what was new, for each visit from `begin` on."""
    first_met = own.drop_duplicates(ITEM)
    items, times = first_met[ITEM].tolist(), first_met[TIME].to_numpy(np.int64)
    moments = own[TIME].to_numpy(np.int64)
    moments = moments[moments >= begin]
    starts = moments[np.diff(moments, prepend=-np.inf) > minutes * MINUTE]
    # New items of a visit lie between its start and that of the next one.
    edges = np.searchsorted(times, np.append(starts, np.iinfo(np.int64).max))
    for here, there in pairwise(edges):
        if there > here:
            yield items[:here], items[here:there]


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
