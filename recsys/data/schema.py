"""Names and types of the columns of the interaction log, in one place, and how a time is written out."""

from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

USER: Final = "user_id"
ITEM: Final = "item_id"
TIME: Final = "timestamp"
RATING: Final = "rating"
EVENT: Final = "event_type"

REQUIRED: Final = (USER, ITEM, TIME)
OPTIONAL: Final = (RATING, EVENT)
COLUMNS: Final = REQUIRED + OPTIONAL

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601, whole seconds UTC.

    >>> iso(875_156_710.9)
    '1997-09-25T03:05:10+00:00'
    """
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
