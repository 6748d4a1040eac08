"""Ingest: new events of the feedback store, judged by the data contract, become parts of the training log.

A part holds what was drained at once, and its name says how far: it appears complete, so that a killed ingest goes on
behind the last part, and no event is taken twice or left out.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path

import pandas as pd
from filelock import FileLock

from recsys.config import Config
from recsys.data import parts, suite
from recsys.data.contract import of_part
from recsys.data.parts import REASON, Counts
from recsys.data.readers import read_events
from recsys.data.schema import EVENT, ITEM, RATING, TIME, USER
from recsys.data.validation_report import ContractError
from recsys.feedback.event import IMPRESSION, Event
from recsys.feedback.store import Batch, open_store
from recsys.stages.validate import tables
from recsys.stages.workspace import located, work

log = logging.getLogger("recsys.ingest")

PART = 200_000
"""Events drained at once: memory for them is all an ingest needs, beside the log."""
UNWEIGHTED = "event_type has no weight"
EVENT_ID = "event_id"
FIELDS = (EVENT_ID, USER, ITEM, TIME, EVENT, RATING)
_fields = attrgetter(*FIELDS)


def watermark(config: Config) -> int:
    """The number of the last event that was drained for this configuration's name; 0 before the first."""
    return parts.watermark(_folder(config))


def ingested(config: Config, after: int = 0) -> pd.DataFrame:
    """Accepted events, in the order in which they came.

    Args:
        config: its name and store are read.
        after: only parts that reach beyond this watermark.

    Returns:
        `user_id`, `item_id` and `timestamp`, `event_type` and `rating` where any event has them.
    """
    found = parts.read_parts(_folder(config), after)
    return pd.DataFrame({USER: [], ITEM: [], TIME: []}) if found is None else found


def waiting(config: Config) -> bool:
    """Whether the feedback store holds events that were not drained yet."""
    with open_store(config.store) as store:
        return next(store.after(watermark(config)), None) is not None


def ingest(config: Config) -> Counts:
    """Drain new events into the training log.

    Returns:
        What became of the events that were drained now.

    Raises:
        ContractError: more events break the contract than `validation.max_bad_fraction` lets be set aside. Parts
            before them stay, the watermark stays at the last one.
        InputError: the log or the feedback store cannot be read.
    """
    if not waiting(config):
        return Counts()
    config, folder, total = located(config), _folder(config), Counts()
    folder.mkdir(parents=True, exist_ok=True)
    base = read_events(config.data)
    whole = [name for name in (USER, ITEM) if name in base and pd.api.types.is_integer_dtype(base[name].dtype)]
    del base
    with FileLock(folder / parts.LOCK), open_store(config.store) as store:
        parts.clear_drafts(folder)
        for events, reached in _portions(store.after(watermark(config))):
            accepted, rejected = _judge(_frame(events), config, whole)
            reasons = {str(reason): int(count) for reason, count in rejected[REASON].value_counts().items()}
            counts = Counts(len(accepted), len(events) - len(accepted) - len(rejected), reasons)
            parts.write_part(folder, reached, accepted, rejected, counts)
            total += counts
            log.info("ingest: %s events are in, up to number %d", f"{total.drained:,}", reached)
    return total


def _folder(config: Config) -> Path:
    return parts.folder_of(config.store, config.name)


def _portions(batches: Iterable[Batch]) -> Iterator[tuple[list[Event], int]]:
    """Events of several batches together, with the number they reach."""
    events: list[Event] = []
    reached = 0
    for batch in batches:
        events += batch.events
        reached = batch.watermark
        if len(events) >= PART:
            yield events, reached
            events = []
    if events:
        yield events, reached


def _frame(events: list[Event]) -> pd.DataFrame:
    """What was done, without what was shown; no column of ratings where none was given."""
    done = [_fields(event) for event in events if event.event_type != IMPRESSION]
    frame = pd.DataFrame(done, columns=FIELDS).astype({RATING: "float64", TIME: "int64"})
    return frame.drop(columns=RATING) if frame[RATING].isna().all() else frame


def _judge(events: pd.DataFrame, config: Config, whole: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accepted events as they join the log, and the others with their reasons."""
    reasons = pd.Series("", index=events.index)
    if config.data.event_weights:
        reasons[~events[EVENT].isin(config.data.event_weights)] = UNWEIGHTED
    rest = events[reasons == ""].drop(columns=EVENT_ID)
    if len(rest):
        set_aside = _by_contract(rest.reset_index(drop=True), config, whole)
        reasons[rest.index[set_aside.index]] = set_aside.to_numpy()
    good = reasons == ""
    accepted = events[good].drop(columns=EVENT_ID).astype(dict.fromkeys(whole, "int64"))
    return accepted.reset_index(drop=True), events[~good].assign(**{REASON: reasons[~good]}).reset_index(drop=True)


def _by_contract(events: pd.DataFrame, config: Config, whole: list[str]) -> "pd.Series[str]":
    """Reasons of the events that break a rule, by their position."""
    from recsys.data import validation

    users, items = tables(config)
    contract = config.validation.model_copy(update={"on_failure": "quarantine"})
    folder = work(config, "ingested", config.name).absolute()
    rules = of_part(suite.of(config.validation), whole)
    try:
        _, report = validation.validate(
            events, contract, folder, users=users, items=items, rules=rules, name=f"{config.name}, feedback"
        )
    except ContractError as error:
        raise ContractError(
            f"{error}\n  Nothing of these {len(events):,} events was ingested; they wait in the feedback store. "
            "Mend what sends them; to have those rejected that break a rule, and go on with the others: "
            "--set validation.max_bad_fraction=1",
            error.report,
        ) from error
    found = None if report.quarantine_file is None else pd.read_parquet(report.quarantine_file)
    # What was rejected is kept beside the parts, and nowhere else.
    shutil.rmtree(folder)
    return pd.Series(dtype="str") if found is None else found.set_index(found["row"] - 1)[REASON]
