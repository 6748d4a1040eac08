"""Names and types of the columns of the interaction log, in one place."""

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
