"""The rows by name, in the order of the report; a new row is a module `bench/rows/NAME.py` and its name here.

A row module has two things:

    SETS: tuple[str, ...]     names of `bench.sets`, or ("",) where the row makes its own data
    def measure(name: str, options: Options) -> Result
"""

from importlib import import_module
from typing import Protocol

from bench.results import Options, Result

NAMES = (
    "als", "ease", "sasrec", "multvae", "fm", "hybrid", "run", "scoring", "growth", "gate", "feedback",
    "orchestration",
    "soak",
)  # fmt: skip


class Row(Protocol):
    """A comparison."""

    SETS: tuple[str, ...]

    def measure(self, name: str, options: Options) -> Result:
        """Measure on a set.

        Raises:
            MissingSetError: the set is not on this machine.
            FitError: a fit failed.
        """
        ...


def row(name: str) -> Row:
    """The module of a row; imported here, so that one row's needs are not another's."""
    module: Row = import_module(f"bench.rows.{name}")
    return module
