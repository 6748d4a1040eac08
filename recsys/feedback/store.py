"""The feedback store: the door to SQLAlchemy, with SQLite beside the other databases or PostgreSQL by its URL.

Events are delivered at least once and kept once: `event_id` is unique, and what is there stays. A batch is one
transaction, so that a killed process leaves whole batches, and what was acknowledged is on disk. One writer at a time:
sequence numbers become visible in their order, so that a reader who goes on from a watermark misses none.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from recsys.errors import InputError
from recsys.feedback.event import IMPRESSION, NAMES, Event, Malformed
from recsys.feedback.tables import EVENTS, METADATA, QUARANTINE

URL: Final = "RECSYS_FEEDBACK_URL"
DATABASE: Final = "feedback.db"
BATCH: Final = 10_000
"""Lines of a transaction, and events read at a time."""
WAIT: Final = 60
"""Seconds for another writer to finish its batch."""
WRITER: Final = 0x5EC5_FEED
"""PostgreSQL's advisory lock of whoever writes."""

_values = attrgetter(*NAMES)


@dataclass(frozen=True)
class Counts:
    """What became of the lines that were appended: each is counted once."""

    inserted: int = 0
    duplicates: int = 0
    """Events that were there already, or came twice."""
    quarantined: int = 0
    """Malformed lines, those that were in quarantine already among them."""
    examples: tuple[Malformed, ...] = ()
    """The first few of these lines."""

    @property
    def read(self) -> int:
        """Lines in all."""
        return self.inserted + self.duplicates + self.quarantined

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.inserted + other.inserted,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            (self.examples + other.examples)[:5],
        )


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


class FeedbackStore:
    """Events and quarantine in one database; all methods may be called from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @property
    def where(self) -> str:
        """The database as it may be shown: a path, or a URL without its password."""
        url = self._engine.url
        backend = url.get_backend_name()
        return str(url.database) if backend == "sqlite" else str(url.set(drivername=backend))

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
            events = [one for one in batch if isinstance(one, Event)]
            malformed = [one for one in batch if isinstance(one, Malformed)]
            with self.transaction(writes=True) as connection:
                inserted = _insert(connection, EVENTS, [dict(zip(NAMES, _values(one), strict=True)) for one in events])
                _insert(connection, QUARANTINE, [_set_aside(one, source) for one in malformed])
            counts += Counts(inserted, len(events) - inserted, len(malformed), tuple(malformed[:5]))
            acknowledge(counts)
        return counts

    def after(self, watermark: int = 0) -> Iterator[Batch]:
        """Events stored after those up to a watermark, in batches; each batch is read when it is asked for."""
        while rows := self._rows(_page(EVENTS.c.sequence > watermark)):
            watermark = rows[-1].sequence
            yield Batch([_event(row[1:]) for row in rows], watermark)

    def shown(self) -> Iterator[Shown]:
        """Every impression with its responses: other events with its `request_id` and its item."""
        watermark, width = 0, len(EVENTS.c)
        response = EVENTS.alias("response")
        while True:
            page = _page(EVENTS.c.sequence > watermark, EVENTS.c.event_type == IMPRESSION).subquery("impression")
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

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        """A connection whose work is kept when the block ends without an error.

        Raises:
            InputError: the database cannot be reached, written or understood.
        """
        try:
            with self._engine.begin() as connection:
                if writes and connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER)))
                yield connection
        except DatabaseError as error:
            # Its subclasses but one speak of a wrong statement, which is our fault.
            if type(error) not in (DatabaseError, OperationalError):
                raise
            reason = str(error.orig).strip().partition("\n")[0]
            raise InputError(
                f"the feedback store {self.where} does not answer: {reason}; what was acknowledged is kept"
            ) from error

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self.transaction() as connection:
            return connection.execute(query).all()


def open_store(folder: str | Path) -> FeedbackStore:
    """Open the feedback store of a folder, or the one that RECSYS_FEEDBACK_URL names; it is made where it is not there.

    Raises:
        InputError: the folder cannot be written, the URL is no PostgreSQL's, or nobody answers there.
    """
    url = os.environ.get(URL)
    return _postgresql(url) if url else _sqlite(Path(folder).absolute())


def _sqlite(folder: Path) -> FeedbackStore:
    path = folder / DATABASE
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": WAIT})
    sa.event.listen(engine, "connect", _set_up)
    store = FeedbackStore(engine)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # SQLite does not wait for others where it changes the kind of journal.
        with FileLock(folder / f".{DATABASE}.lock"), store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            METADATA.create_all(connection)
    except OSError as error:
        raise InputError(f"the store {folder} cannot be written: {error.strerror}; choose another folder") from error
    return store


def _postgresql(address: str) -> FeedbackStore:
    allowed = f"{URL}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        url = sa.make_url(address)
    except (ArgumentError, ValueError):
        # Neither the address nor the error is shown: there may be a password in them.
        raise InputError(f"{allowed}; seen something that is no URL") from None
    if url.get_backend_name() != "postgresql":
        raise InputError(f"{allowed}; seen {url.get_backend_name()}://…; without it, events go to STORE/{DATABASE}")
    try:
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 10})
    except ModuleNotFoundError as error:
        raise InputError(f"{URL} needs {error.name}: pip install -c constraints.txt -e '.[postgres]'") from error
    store = FeedbackStore(engine)
    with store.transaction(writes=True) as connection:
        METADATA.create_all(connection)
    return store


def _set_up(connection: Any, _: object) -> None:
    """What is committed is on disk, even if the power fails."""
    connection.execute("PRAGMA synchronous = FULL")
    # A batch of random ids touches most pages of their index.
    connection.execute("PRAGMA cache_size = -65536")  # 64 MiB instead of 2
    connection.execute("PRAGMA wal_autocheckpoint = 16384")  # pages, 64 MiB instead of 4


def _event(values: Iterable[Any]) -> Event:
    return Event(*values)


def _page(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(EVENTS).where(*conditions).order_by(EVENTS.c.sequence).limit(BATCH)


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, object]]) -> int:
    """How many of the rows were not there yet."""
    if not rows:
        return 0
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    # The count of rows that an INSERT touched is kept only where it is asked for.
    done = connection.execute(insert.on_conflict_do_nothing(), rows, execution_options={"preserve_rowcount": True})
    return done.rowcount


def _set_aside(line: Malformed, source: str) -> dict[str, object]:
    # PostgreSQL takes no zero characters.
    raw, header = (text and text.replace("\0", "\\x00") for text in (line.raw, line.header))
    return {
        "digest": hashlib.sha256(f"{header}\n{raw}".encode()).hexdigest(),
        "source": source,
        "line": line.line,
        "header": header,
        "raw": raw,
        "reason": line.reason,
        "received": int(time.time()),
    }
