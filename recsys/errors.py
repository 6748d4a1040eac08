"""Errors a person can act on: what was seen, what is allowed, what to do next."""

import errno
import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Final


class InputError(ValueError):
    """The user's input is wrong (a file, a key, an id). The command line prints it alone and exits with 2."""


class UnavailableError(InputError):
    """A server or a network that the user named does not answer now; the same again, later, can succeed."""


class DiskFullError(InputError):
    """A disk has no room left; once it has, the same again goes on where it was."""


FULL: Final = re.compile(
    "|".join(
        (
            os.strerror(errno.ENOSPC),
            os.strerror(errno.EDQUOT),
            "database or disk is full",
            r"\d requested and \d+ written",
        )
    )
)
"""What an error says of a full disk: the system and whoever passes its words on, SQLite, NumPy."""


def full_disk(error: BaseException, where: Path | None = None) -> DiskFullError | None:
    """What to tell a person where an error comes of a full disk; none where it does not.

    Args:
        error: any, with what caused it.
        where: what was being written; most such errors name nothing.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DiskFullError):
            return cause
        if FULL.search(str(cause)):
            named = getattr(cause, "filename2", None) or getattr(cause, "filename", None) or where
            return no_room(named)
        cause = cause.__cause__ or cause.__context__
    return None


def no_room(where: object) -> DiskFullError:
    """What to tell of a disk without room, by a place on it where one is known."""
    place = f" of {where}" if where else ""
    return DiskFullError(
        f"no room left on the disk{place}: free some (recsys prune CONFIG tells what can go), then do the same again, "
        "and it goes on where it was"
    )


def did_you_mean(seen: str, allowed: Iterable[str]) -> str:
    """Name the nearest allowed words, or list them all when none is near.

    >>> did_you_mean("leave_lst", ["time", "leave_last", "ratio"])
    "did you mean 'leave_last'? (allowed: time, leave_last, ratio)"
    >>> did_you_mean("xyz", ["time", "ratio"])
    'allowed: time, ratio'
    """
    names = list(allowed)
    listed = f"allowed: {', '.join(names)}"
    near = get_close_matches(seen, names, n=1)
    return f"did you mean {near[0]!r}? ({listed})" if near else listed
