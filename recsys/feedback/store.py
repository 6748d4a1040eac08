"""The feedback store: what was shown and what was done about it, kept once; who was forgotten stays out.

Events are delivered at least once and kept once: `event_id` is unique, and what is there stays. A batch is one
transaction, so that a killed process leaves whole batches, and what was acknowledged is on disk. One writer at a time:
sequence numbers become visible in their order, so that a reader who goes on from a watermark misses none.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from recsys.feedback.database import Database, connect, insert, is_there
from recsys.feedback.event import IMPRESSION, NAMES, Event, Malformed
from recsys.feedback.forgetting import Forgotten, read_forgotten, remember, speaks_of
from recsys.feedback.tables import EVENTS, QUARANTINE

BATCH: Final = 50_000
"""Lines of a transaction, and events read at a time; few, because each touches every page of an index of random ids."""
LINE: Final = tuple(column.name for column in QUARANTINE.c)
"""What is kept of a line in quarantine."""

_values = attrgetter(*NAMES)


@dataclass(frozen=True)
class Counts:
    """What became of the lines that were appended: each is counted once."""

    inserted: int = 0
    duplicates: int = 0
    """Events that were there already, or came twice."""
    forgotten: int = 0
    """Lines of users who were forgotten since; they are not kept."""
    quarantined: int = 0
    """Malformed lines, those that were in quarantine already among them."""
    examples: tuple[Malformed, ...] = ()
    """The first few of these lines."""

    @property
    def read(self) -> int:
        """Lines in all."""
        return self.inserted + self.duplicates + self.forgotten + self.quarantined

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.inserted + other.inserted,
            self.duplicates + other.duplicates,
            self.forgotten + other.forgotten,
            self.quarantined + other.quarantined,
            (self.examples + other.examples)[:5],
        )


@dataclass(frozen=True)
class Erased:
    """What was held about a user."""

    events: int
    quarantined: int
    """Lines in quarantine."""


@dataclass(frozen=True)
class Batch:
    """Events in the order in which they were stored."""

    events: list[Event]
    watermark: int
    """Sequence number of the last one: where to go on from."""


@dataclass(frozen=True)
class Shown:
    """An impression and what was done about it."""

    impression: Event
    responses: tuple[Event, ...]
    """Events of other types on the same item with the same request, in the order in which they were stored."""


class FeedbackStore(Database):
    """Events, quarantine and who was forgotten, in one database."""

    def append(
        self,
        records: Iterable[Event | Malformed],
        source: str,
        acknowledge: Callable[[Counts], None] = lambda counts: None,
    ) -> Counts:
        """Store events and set aside what is none, batch by batch.

        Args:
            records: what `recsys.feedback.read` finds, or events made in the program.
            source: where they come from, in words, for the quarantine.
            acknowledge: told after each batch what has become of all lines so far; these are on disk.

        Raises:
            InputError: the database does not take them. What was acknowledged stays; all may be appended again.
        """
        counts, records = Counts(), iter(records)
        while batch := list(islice(records, BATCH)):
            with self.transaction(writes=True) as connection:
                events, malformed = _wanted(batch, read_forgotten(connection))
                inserted = insert(connection, EVENTS, NAMES, [_values(one) for one in events])
                insert(connection, QUARANTINE, LINE, [_set_aside(one, source) for one in malformed])
            counts += Counts(
                inserted,
                len(events) - inserted,
                len(batch) - len(events) - len(malformed),
                len(malformed),
                tuple(malformed[:5]),
            )
            acknowledge(counts)
        return counts

    def after(self, watermark: int = 0) -> Iterator[Batch]:
        """Events stored after those up to a watermark, in batches; each batch is read when it is asked for."""
        while rows := self._rows(_page(EVENTS.c.sequence > watermark)):
            watermark = rows[-1].sequence
            yield Batch([_event(row[1:]) for row in rows], watermark)

    def shown(self, since: int = 0) -> Iterator[Shown]:
        """Every impression from a second on, with its responses: other events with its `request_id` and its item."""
        watermark, width = 0, len(EVENTS.c)
        response = EVENTS.alias("response")
        while True:
            wanted = (EVENTS.c.event_type == IMPRESSION, EVENTS.c.timestamp >= since)
            page = _page(EVENTS.c.sequence > watermark, *wanted).subquery("impression")
            belongs = sa.and_(
                response.c.request_id == page.c.request_id,
                response.c.item_id == page.c.item_id,
                response.c.event_type != IMPRESSION,
            )
            rows = self._rows(
                sa.select(page, response)
                .select_from(page.outerjoin(response, belongs))
                .order_by(page.c.sequence, response.c.sequence)
            )
            if not rows:
                return
            for impression, answered in groupby(rows, key=lambda row: row[:width]):
                responses = tuple(_event(row[width + 1 :]) for row in answered if row[width] is not None)
                yield Shown(_event(impression[1:]), responses)
            watermark = rows[-1][0]

    def quarantined(self) -> list[dict[str, Any]]:
        """All lines in quarantine, the oldest first: source, line, header, raw, reason, received (seconds)."""
        columns = [column for column in QUARANTINE.c if column.name != "digest"]
        found = self._rows(sa.select(*columns).order_by(QUARANTINE.c.received, QUARANTINE.c.source, QUARANTINE.c.line))
        return [dict(row._mapping) for row in found]

    def forget(self, user_id: str, at: float | None = None) -> Erased:
        """Delete all events of a user, and what stands in quarantine about them, and keep out what comes again.

        Events up to this moment, or up to the latest that was deleted, are not stored again; later ones are. What was
        deleted is in no file of the database afterwards; doing it twice is doing it once.

        Args:
            user_id: as text.
            at: seconds since 1970; now, where none is given.

        Raises:
            InputError: the database does not answer, or is in use by others all the time.
        """
        whose = EVENTS.c.user_id == user_id
        with self.transaction(writes=True) as connection:
            latest = connection.execute(sa.select(sa.func.max(EVENTS.c.timestamp)).where(whose)).scalar()
            remember(connection, user_id, max(int(time.time() if at is None else at), latest or 0))
            events = connection.execute(EVENTS.delete().where(whose)).rowcount
            about = [row.digest for row in connection.execute(sa.select(QUARANTINE)) if speaks_of(_line(row), user_id)]
            for digest in about:
                connection.execute(QUARANTINE.delete().where(QUARANTINE.c.digest == digest))
        self.wipe()
        return Erased(events, len(about))

    def forgotten(self) -> Forgotten:
        """Who was forgotten."""
        with self.transaction() as connection:
            return read_forgotten(connection)

    def holds(self, user_id: str) -> bool:
        """Whether there is anything of a user: an event, a line in quarantine, or that they were forgotten."""
        with self.transaction() as connection:
            if connection.execute(sa.select(EVENTS.c.sequence).where(EVENTS.c.user_id == user_id).limit(1)).first():
                return True
            lines = connection.execute(sa.select(QUARANTINE)).all()
            return read_forgotten(connection).until_of(user_id) is not None or any(
                speaks_of(_line(row), user_id) for row in lines
            )


def open_store(folder: str | Path) -> FeedbackStore:
    """Open the feedback store of a folder, or the one that RECSYS_FEEDBACK_URL names; it is made where it is not there.

    Raises:
        InputError: the folder cannot be written, the URL is no PostgreSQL's, or nobody answers there.
    """
    return FeedbackStore(connect(folder))


@contextmanager
def store_if_there(folder: str | Path) -> Iterator[FeedbackStore | None]:
    """The feedback store of a folder; none, where there is none, and none is made.

    Raises:
        InputError: it does not answer.
    """
    if is_there(folder):
        with open_store(folder) as opened:
            yield opened
    else:
        yield None


def forgotten_in(folder: str | Path) -> Forgotten:
    """Who was forgotten by the store of a folder; nobody, where there is no store, and none is made.

    Raises:
        InputError: it does not answer.
    """
    with store_if_there(folder) as opened:
        return opened.forgotten() if opened else Forgotten()


def _event(values: Iterable[Any]) -> Event:
    return Event(*values)


def _page(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(EVENTS).where(*conditions).order_by(EVENTS.c.sequence).limit(BATCH)


def _wanted(batch: list[Event | Malformed], forgotten: Forgotten) -> tuple[list[Event], list[Malformed]]:
    """Events and malformed lines without those of forgotten users."""
    events = [one for one in batch if isinstance(one, Event)]
    out = forgotten.left_out([one.user_id for one in events], [one.timestamp for one in events])
    now = time.time()
    malformed = [one for one in batch if isinstance(one, Malformed) and not forgotten.drops(one, now)]
    return [one for one, left_out in zip(events, out, strict=True) if not left_out], malformed


def _line(row: sa.Row[Any]) -> Malformed:
    return Malformed(row.line, row.raw, row.reason, row.header)


def _set_aside(line: Malformed, source: str) -> tuple[Any, ...]:
    """Values of `LINE`."""
    # PostgreSQL takes no zero characters.
    raw, header = (text and text.replace("\0", "\\x00") for text in (line.raw, line.header))
    digest = hashlib.sha256(f"{header}\n{raw}".encode()).hexdigest()
    return digest, source, line.line, header, raw, line.reason, int(time.time())
