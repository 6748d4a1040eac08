"""Errors a person can act on: what was seen, what is allowed, what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """The user's input is wrong (a file, a key, an id). The command line prints it alone and exits with 2."""


class UnavailableError(InputError):
    """A server or a network that the user named does not answer now; the same again, later, can succeed."""


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
