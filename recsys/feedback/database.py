"""The database of feedback: SQLite beside the other files, or PostgreSQL by its URL; one writer at a time."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from recsys.addresses import masked
from recsys.data.atomic import writing
from recsys.errors import InputError, UnavailableError
from recsys.feedback.tables import METADATA

URL: Final = "RECSYS_FEEDBACK_URL"
DATABASE: Final = "feedback.db"
WAIT: Final = 60
"""Seconds for another writer to finish its batch."""
WRITER: Final = 0x5EC5_FEED
"""PostgreSQL's advisory lock of whoever writes."""


class Database:
    """A database with the tables of feedback; all methods may be called from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @property
    def where(self) -> str:
        """The database as it may be shown: a path, or a URL without its password."""
        url = self._engine.url
        backend = url.get_backend_name()
        return str(url.database) if backend == "sqlite" else masked(str(url.set(drivername=backend)))

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        """A connection whose work is kept when the block ends without an error.

        Args:
            writes: wait for other writers first, so that what the block reads stays true until it ends.

        Raises:
            UnavailableError: the server of the database does not answer.
            InputError: the database cannot be written or understood.
        """
        with self._understood(), self._engine.begin() as connection:
            if writes and connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER)))
            elif writes:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def wipe(self) -> None:
        """Take what was deleted out of the files as well.

        SQLite writes the whole database anew and empties its journal. PostgreSQL frees the places of deleted rows,
        which later rows overwrite.

        Raises:
            InputError: somebody else reads or writes for longer than `WAIT`.
        """
        with self._understood(), self._engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            if alone.dialect.name == "postgresql":
                for table in METADATA.sorted_tables:
                    alone.exec_driver_sql(f"VACUUM {table.name}")
                return
            alone.exec_driver_sql("VACUUM")
            if alone.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
                raise InputError(
                    f"{self.where} is in use, and its journal still holds what was deleted; do the same again later"
                )

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

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            # Its subclasses but one speak of a wrong statement, which is our fault.
            if type(error) not in (DatabaseError, OperationalError):
                raise
            reason = str(error.orig).strip().partition("\n")[0]
            # A server may come back; a file that cannot be read will not.
            kind = UnavailableError if self._engine.dialect.name == "postgresql" else InputError
            raise kind(
                f"the feedback store {self.where} does not answer: {reason}; what was acknowledged is kept"
            ) from error


def connect(folder: str | Path) -> sa.Engine:
    """The database of a folder, or the one that RECSYS_FEEDBACK_URL names, with its tables; made where it is not there.

    Raises:
        InputError: the folder cannot be written, the URL is no PostgreSQL's, or nobody answers there.
    """
    url = os.environ.get(URL)
    return _postgresql(url) if url else _sqlite(Path(folder).absolute())


def is_there(folder: str | Path) -> bool:
    """Whether there is a database to connect to without making one."""
    return bool(os.environ.get(URL)) or (Path(folder) / DATABASE).is_file()


def insert(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> int:
    """Add the rows that are not there yet, and say how many these were.

    Args:
        connection: of a transaction that writes.
        table: where to.
        names: of the columns that are given.
        rows: their values.
    """
    if not rows:
        return 0
    statement = _insertion(table, names, connection.dialect.name)
    # The count of rows that an INSERT touched is kept only where it is asked for.
    return connection.exec_driver_sql(statement, rows, execution_options={"preserve_rowcount": True}).rowcount


@lru_cache
def _insertion(table: sa.Table, names: tuple[str, ...], backend: str) -> str:
    """Text for the driver: half the time of an insertion would go into naming every value of every row."""
    if backend == "postgresql":
        dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy has no types for it
        return str(postgresql.insert(table).on_conflict_do_nothing().compile(dialect=dialect, column_keys=names))
    return str(sqlite.insert(table).on_conflict_do_nothing().compile(dialect=sqlite.dialect(), column_keys=names))


def _sqlite(folder: Path) -> sa.Engine:
    path = folder / DATABASE
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": WAIT})
    sa.event.listen(engine, "connect", _set_up)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # SQLite does not wait for others where it changes the kind of journal.
        with FileLock(folder / f".{DATABASE}.lock"), Database(engine).transaction() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            METADATA.create_all(connection)
    return engine


def _postgresql(address: str) -> sa.Engine:
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
    with Database(engine).transaction(writes=True) as connection:
        METADATA.create_all(connection)
    return engine


def _set_up(connection: Any, _: object) -> None:
    """What is committed is on disk, even if the power fails."""
    connection.execute("PRAGMA synchronous = FULL")
    # A batch of random ids touches most pages of their index.
    connection.execute("PRAGMA cache_size = -65536")  # 64 MiB instead of 2
    connection.execute("PRAGMA wal_autocheckpoint = 16384")  # pages, 64 MiB instead of 4
