"""Ingest: new events of the feedback store, judged by the data contract, become parts of the training log.

A part holds what was drained at once, and its name says how far: it appears complete, so that a killed ingest goes on
behind the last part, and no event is taken twice or left out.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
from recsys.feedback.database import is_there
from recsys.feedback.event import IMPRESSION, Event
from recsys.feedback.store import Batch, open_store
from recsys.stages.validate import tables
from recsys.stages.workspace import located, work

log = logging.getLogger("recsys.ingest")

PART = 200_000
"""Events drained at once: memory for them is all an ingest needs, beside the log."""
WEIGHTED = "event_type has a weight"
"""The one rule that `data.event_weights` adds; what breaks it counts as rejected, not as bad data."""
EVENT_ID = "event_id"
FIELDS = (EVENT_ID, USER, ITEM, TIME, EVENT, RATING)
_fields = attrgetter(*FIELDS)


def watermark(config: Config) -> int:
    """The number of the last event that was drained for this configuration's name; 0 before the first."""
    return parts.watermark(_folder(config))


def so_far(config: Config) -> Counts:
    """What became of all events that were ever drained for this configuration's name."""
    return parts.counts_of(_folder(config))


def waiting(config: Config) -> bool:
    """Whether the feedback store holds events that were not drained yet."""
    if not is_there(config.store):
        return False
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
    contract = _contract(config)
    with FileLock(folder / parts.LOCK), open_store(config.store) as store:
        parts.clear_drafts(folder)
        for events, reached in _portions(store.after(watermark(config))):
            accepted, rejected = _judge(_frame(events), contract, config)
            reasons = {str(reason): int(count) for reason, count in rejected[REASON].value_counts().items()}
            counts = Counts(len(accepted), len(events) - len(accepted) - len(rejected), reasons)
            parts.write_part(folder, reached, accepted, rejected, counts)
            total += counts
            log.info("ingest: %s events are in, up to number %d", f"{total.drained:,}", reached)
    return total


def counts_markdown(counts: Counts, total: Counts) -> str:
    """What became of drained events, now and since the first, as a table for a run page."""
    rules = {rule: "rejected: not so that " + rule.replace("; ", ", ") for rule in total.rejected}
    rows = [("drained", counts.drained, total.drained), ("accepted", counts.accepted, total.accepted)]
    rows += [("impressions, no interactions", counts.impressions, total.impressions)]
    rows += [(told, counts.rejected.get(rule, 0), total.rejected[rule]) for rule, told in rules.items()]
    lines = ["| events | now | so far |", "|---|---:|---:|"]
    return "\n".join([*lines, *(f"| {name} | {now:,} | {ever:,} |" for name, now, ever in rows)])


def counts_lines(config: Config, counts: Counts) -> list[str]:
    """What became of events that were drained now, for a terminal."""
    rejected = counts.drained - counts.accepted - counts.impressions
    lines = [
        f"{config.name}: {counts.drained:,} new events: {counts.accepted:,} accepted, "
        f"{counts.impressions:,} impressions, {rejected:,} rejected"
    ]
    lines += [f"  not so in {count:,}: {rule}" for rule, count in counts.rejected.items()]
    return [*lines, f"Rejected events: {_folder(config) / parts.REJECTED}"] if rejected else lines


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


def _judge(events: pd.DataFrame, contract: "_Contract", config: Config) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accepted events as they join the log, and the others with their reasons."""
    reasons = pd.Series("", index=events.index)
    if config.data.event_weights:
        reasons[~events[EVENT].isin(config.data.event_weights)] = WEIGHTED
    rest = events[reasons == ""].drop(columns=EVENT_ID)
    if len(rest):
        broken = contract.broken(rest.reset_index(drop=True), config)
        reasons[rest.index[broken.index]] = broken.to_numpy()
    good = reasons == ""
    accepted = events[good].drop(columns=EVENT_ID).astype(dict.fromkeys(contract.whole, "int64"))
    return accepted.reset_index(drop=True), events[~good].assign(**{REASON: reasons[~good]}).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class _Contract:
    """What the log asks of events that join it."""

    whole: tuple[str, ...]
    """Id columns that hold whole numbers in the log."""
    users: pd.DataFrame | None
    items: pd.DataFrame | None

    def broken(self, events: pd.DataFrame, config: Config) -> "pd.Series[str]":
        """Rules that events break, by their position; nothing of those that break none."""
        from recsys.data import validation

        folder = work(config, "ingested", config.name).absolute()
        try:
            _, report = validation.validate(
                events,
                config.validation.model_copy(update={"on_failure": "quarantine"}),
                folder,
                users=self.users,
                items=self.items,
                rules=of_part(suite.of(config.validation), self.whole),
                name=f"{config.name}, feedback",
            )
        except ContractError as error:
            raise ContractError(
                f"{error}\n  None of these {len(events):,} events was ingested; they wait in the feedback store. "
                "Mend what sends them. To have those rejected that break a rule, and the others ingested: "
                "--set validation.max_bad_fraction=1",
                error.report,
            ) from error
        found = pd.read_parquet(report.quarantine_file) if report.quarantine_file else None
        # What is rejected is kept beside the parts, and nowhere else.
        shutil.rmtree(folder, ignore_errors=True)
        return pd.Series(dtype="str") if found is None else found.set_index(found["row"] - 1)[REASON]


def _contract(config: Config) -> _Contract:
    log = read_events(config.data)
    whole = tuple(name for name in (USER, ITEM) if name in log and pd.api.types.is_integer_dtype(log[name].dtype))
    return _Contract(whole, *tables(config))
