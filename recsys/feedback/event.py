"""One event of feedback: an impression (what was shown) or a response (what was done), checked where it is made."""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

from recsys.data.contract import DAY, MAX_ID_LENGTH
from recsys.data.schema import TIME
from recsys.errors import did_you_mean

IMPRESSION: Final = "impression"
"""The event type of what was shown; every other type is a response."""
END_OF_TIME: Final = 253_402_300_800
"""The year 10000, in seconds: what lies beyond is in another unit."""
MOMENT: Final = "seconds since 1970, or ISO 8601"
LAST_POSITION: Final = 1_000_000
# Lone surrogates beside control characters: no database takes them as text.
_UNTIDY = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class MalformedEventError(ValueError):
    """What is wrong with an event, in words for whoever sends it."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event that exists is well formed: what breaks a limit raises `MalformedEventError`.

    Texts have 1 to 256 characters, no control characters and no blanks around them.
    """

    event_id: str
    """Chosen by the sender; what comes again under the same id is the same event, and kept once."""
    user_id: str
    item_id: str
    event_type: str
    """`impression`, or what was done: view, cart, purchase, …"""
    timestamp: int
    """Seconds since 1970 UTC."""
    rating: float | None = None
    request_id: str | None = None
    """The answer of the recommender that this belongs to; an impression always has one."""
    model_version: str | None = None
    """The version that gave that answer."""
    position: int | None = None
    """Rank in that answer, from 1."""
    propensity: float | None = None
    """Probability, above 0 and at most 1, with which that answer showed the item in this position."""

    def __post_init__(self) -> None:
        for name, value in zip(TEXTS, _texts(self), strict=True):
            # Nearly every text ends here; the rest is looked at again.
            if value is not None and not (
                value.isprintable() and 0 < len(value) <= MAX_ID_LENGTH and value == value.strip()
            ):
                _check_text(name, value)
        if not 0 <= self.timestamp < END_OF_TIME:
            raise MalformedEventError(
                f"timestamp is {_shown(self.timestamp)}; allowed: seconds since 1970, or ISO 8601"
            )
        if self.rating is not None and not math.isfinite(self.rating):
            raise MalformedEventError(f"rating is {self.rating}; allowed: a finite number")
        if self.position is not None and not 1 <= self.position <= LAST_POSITION:
            raise MalformedEventError(f"position is {_shown(self.position)}; allowed: 1 to {LAST_POSITION:,}")
        if self.propensity is not None and not 0 < self.propensity <= 1:
            raise MalformedEventError(f"propensity is {self.propensity}; allowed: above 0, at most 1")
        if self.event_type == IMPRESSION and self.request_id is None:
            raise MalformedEventError("an impression without request_id; nothing that is done could be joined to it")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no event."""

    line: int
    """Number in its source, from 1."""
    raw: str
    """The line as it came, without its end."""
    reason: str
    header: str | None = None
    """The line that names the columns, where the source is a CSV."""


NAMES: Final = tuple(field.name for field in fields(Event))
REQUIRED: Final = NAMES[:5]
TEXTS: Final = ("event_id", "user_id", "item_id", "event_type", "request_id", "model_version")
_REQUIRED: Final = frozenset(REQUIRED)
_texts = attrgetter(*TEXTS)


def event_of(found: Mapping[str, object], now: float) -> Event:
    """Make an event of fields as they come from JSON or, all of them text, from CSV.

    A field that is null or empty text counts as absent. Whole numbers serve as ids; a timestamp is in seconds or ISO
    8601, UTC where it names no time zone, and fractions of a second are cut off.

    Args:
        found: name -> value.
        now: seconds since 1970; nothing may lie more than a day after it.

    Raises:
        MalformedEventError: a field is missing, unknown, of the wrong kind, or out of its limits.
    """
    given: dict[str, Any] = {}
    for name, value in found.items():
        if value is None or value == "":
            continue
        if name not in _READERS:
            raise MalformedEventError(f"unknown field {_shown(name)}: {did_you_mean(name, NAMES)}")
        given[name] = _READERS[name](name, value)
    if not given.keys() >= _REQUIRED:
        missing = ", ".join(name for name in REQUIRED if name not in given)
        raise MalformedEventError(f"{missing} missing; every event has {', '.join(REQUIRED)}")
    event = Event(**given)
    if event.timestamp > now + DAY:
        raise MalformedEventError(
            f"timestamp {event.timestamp} is {(event.timestamp - now) / DAY:,.0f} days in the future; "
            "allowed: seconds since 1970, at most a day ahead of this clock"
        )
    return event


def said_of(found: Mapping[str, object], name: str) -> Any:
    """A field of what makes no event, without the blanks around it; none where it cannot be read."""
    value = found.get(name)
    if value is None or value == "":
        return None
    try:
        read = _READERS[name](name, value)
    except MalformedEventError:
        return None
    return read.strip() if isinstance(read, str) else read


def _check_text(name: str, value: str) -> None:
    if not 0 < len(value) <= MAX_ID_LENGTH or value != value.strip():
        raise MalformedEventError(
            f"{name} is {_shown(value)}; allowed: 1 to {MAX_ID_LENGTH} characters, no blanks around them"
        )
    # The first look is the cheap one, and nearly always enough.
    if not value.isprintable() and _UNTIDY.search(value):
        raise MalformedEventError(f"{name} is {_shown(value)}; allowed: text without control characters")


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int and abs(value) < 2**63:
        return str(value)
    raise MalformedEventError(f"{name} is {_shown(value)}; allowed: text, or a whole number")


def _number(name: str, value: object) -> float:
    number = _read_number(value)
    if number is None:
        raise MalformedEventError(f"{name} is {_shown(value)}; allowed: a finite number")
    return number


def _whole(name: str, value: object) -> int:
    number = _read_number(value)
    if number is None or not number.is_integer():
        raise MalformedEventError(f"{name} is {_shown(value)}; allowed: a whole number")
    return int(number)


def _seconds(name: str, value: object) -> int:
    number = _read_number(value)
    if number is None:
        number = _read_moment(value)
    if number is None or not math.isfinite(number):
        raise MalformedEventError(f"{name} is {_shown(value)}; allowed: {MOMENT}")
    return math.floor(number)


def _read_number(value: object) -> float | None:
    # Python also reads 1_000 and the digits of other scripts, and takes true for 1.
    if isinstance(value, str):
        plain = value.isascii() and "_" not in value
    else:
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return float(value) if plain else None  # type: ignore[arg-type]  # text, int or float, where it is plain
    except (ValueError, OverflowError):
        return None


def _read_moment(value: object) -> float | None:
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _shown(value: object) -> str:
    """A value as it is told: ASCII, and not all of it where it is long."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


_READERS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    **dict.fromkeys(TEXTS, _text),
    TIME: _seconds,
    "rating": _number,
    "position": _whole,
    "propensity": _number,
}
