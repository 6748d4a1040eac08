"""Who was forgotten: remembered by a salted digest, so that what is sent again, or lies in an older log, stays out.

The list is pseudonymous, not anonymous: whoever has it with its salt can ask whether a given id is on it.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
import sqlalchemy as sa

from recsys.data.contract import DAY
from recsys.data.schema import TIME, USER, BoolArray
from recsys.feedback.database import insert
from recsys.feedback.event import Malformed, MalformedEventError, said_of
from recsys.feedback.read import fields_of
from recsys.feedback.tables import FORGOTTEN, SALT

SALT_BYTES: Final = 16
_WORD, _PIECE = re.compile(r"\w+"), re.compile(r"""[^\s,;"']+""")
"""What may be an id in a line that cannot be read."""


@dataclass(frozen=True)
class Forgotten:
    """Users who were forgotten, each with the second up to which their events are left out."""

    salt: str = ""
    """Of this store; empty where nobody was ever forgotten."""
    until: Mapping[str, int] = field(default_factory=dict)
    """Digest of a user id -> seconds since 1970."""

    @property
    def digest(self) -> str:
        """Of the whole list (16 hex digits), for names that say what went into a result; empty for an empty list."""
        return hashlib.sha256(json.dumps(sorted(self.until.items())).encode()).hexdigest()[:16] if self.until else ""

    def until_of(self, user_id: object) -> int | None:
        """The second up to which events of a user are left out; none for a user who was not forgotten."""
        return self.until.get(digest_of(self.salt, user_id)) if self.until else None

    def left_out(self, user_ids: Iterable[Any], timestamps: Iterable[Any]) -> BoolArray:
        """Which events are left out.

        Args:
            user_ids: [N] raw ids, text or whole numbers: 42 and "42" are the same user.
            timestamps: [N] seconds since 1970; where one is missing, the user alone decides.

        Returns:
            [N] true where the user was forgotten no earlier than the event happened.
        """
        events = pd.Series(user_ids)
        if not self.until:
            return np.zeros(len(events), np.bool_)
        numbers, users = pd.factorize(events)
        found = (self.until_of(user) for user in users)
        # A missing id is numbered -1: the last entry.
        until = np.array([*(np.nan if second is None else second for second in found), np.nan])
        seconds = pd.Series(timestamps).to_numpy(dtype=np.float64, na_value=-np.inf)
        left_out: BoolArray = seconds <= until[numbers]
        return left_out

    def drops(self, line: Malformed, now: float) -> bool:
        """Whether a line that is no event is about a forgotten user, and tells of no moment after that."""
        if not self.until:
            return False
        user, second = _subject(line)
        named = [user] if user is not None else {*_WORD.findall(line.raw), *_PIECE.findall(line.raw)}
        limits = [until for one in named if (until := self.until_of(one)) is not None]
        # A moment that lies ahead tells nothing.
        came_back = bool(limits) and second is not None and max(limits) < second <= now + DAY
        return bool(limits) and not came_back


def digest_of(salt: str, user_id: object) -> str:
    """SHA-256 of the salt and the user id as text."""
    return hashlib.sha256(f"{salt}{user_id}".encode(errors="surrogatepass")).hexdigest()


def read_forgotten(connection: sa.Connection) -> Forgotten:
    """The list as it is in the database."""
    until = {row.digest: row.at for row in connection.execute(sa.select(FORGOTTEN))}
    return Forgotten(connection.execute(sa.select(SALT.c.salt)).scalar_one(), until) if until else Forgotten()


def remember(connection: sa.Connection, user_id: str, until: int) -> None:
    """Put a user on the list, or move the second up to which events are left out, never back."""
    insert(connection, SALT, ("one", "salt"), [(1, secrets.token_hex(SALT_BYTES))])
    digest = digest_of(connection.execute(sa.select(SALT.c.salt)).scalar_one(), user_id)
    if not insert(connection, FORGOTTEN, ("digest", "at"), [(digest, until)]):
        later = sa.and_(FORGOTTEN.c.digest == digest, FORGOTTEN.c.at < until)
        connection.execute(FORGOTTEN.update().where(later).values(at=until))


def speaks_of(line: Malformed, user_id: str) -> bool:
    """Whether a line that is no event is about a user.

    By its `user_id` where it has one that can be read, else by the id as a whole word anywhere in it.
    """
    user, _ = _subject(line)
    if user is not None:
        return bool(user == user_id)
    spelt = {user_id, json.dumps(user_id)[1:-1]}
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line.raw) for word in spelt)


def _subject(line: Malformed) -> tuple[str | None, int | None]:
    """User and second of a line, each as far as it can be read."""
    try:
        found = fields_of(line)
    except MalformedEventError:
        return None, None
    return said_of(found, USER), said_of(found, TIME)
