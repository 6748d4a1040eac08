"""The tables of the feedback store, the same on SQLite and PostgreSQL."""

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()
# SQLite counts 64 bits up only in a column of this very type.
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EVENTS: Final = sa.Table(
    "feedback_events",
    METADATA,
    sa.Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("rating", sa.Double),
    sa.Column("request_id", sa.Text),
    sa.Column("model_version", sa.Text),
    sa.Column("position", sa.Integer),
    sa.Column("propensity", sa.Double),
    # Else SQLite would give the number of a deleted event again, and a watermark beyond it would hide the new one.
    sqlite_autoincrement=True,
)
sa.Index(
    "feedback_events_by_request",
    EVENTS.c.request_id,
    EVENTS.c.item_id,
    sqlite_where=EVENTS.c.request_id.is_not(None),
    postgresql_where=EVENTS.c.request_id.is_not(None),
)
QUARANTINE: Final = sa.Table(
    "feedback_quarantine",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.Column("header", sa.Text),
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
)
FORGOTTEN: Final = sa.Table(
    "feedback_forgotten",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
)
SALT: Final = sa.Table(
    "feedback_salt",
    METADATA,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),  # a table of one row
    sa.Column("salt", sa.Text, nullable=False),
)
