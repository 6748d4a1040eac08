"""Files that belong to the project and are no code: in a checkout beside the packages, else where pip installs them."""

import sys
from pathlib import Path

from recsys.errors import InputError

CHECKOUT = Path(__file__).parents[1]
INSTALLED = Path(sys.prefix) / "share" / "recsys-pipeline"


def shipped(name: str) -> Path:
    """Where a file is, by its path in the checkout.

    Raises:
        InputError: it is in neither place.
    """
    for folder in (CHECKOUT, INSTALLED):
        if (path := folder / name).is_file():
            return path
    raise InputError(f"no {name} at {CHECKOUT} or {INSTALLED}; install the project again, or use that of a checkout")
