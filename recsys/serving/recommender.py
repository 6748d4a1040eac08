"""The engine: raw ids in, a table `user_id item_id score rank source` out, for anybody who asks."""

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.data.idmap import UNKNOWN, IdMap
from recsys.data.interactions import Interactions
from recsys.data.schema import ITEM, USER, IntArray
from recsys.errors import InputError
from recsys.hybrid.fallback import WithFallback
from recsys.metrics.recommend import BLOCK_BYTES, recommend
from recsys.metrics.top_k import NO_ITEM
from recsys.serving.bundle import Bundle

COLUMNS = (USER, ITEM, "score", "rank", "source")
FALLBACK = "popularity"
"""Source of an answer to somebody of whom nothing is known."""

History = Sequence[Any]
"""Raw item ids, oldest first."""


class Engine:
    """Answers from a bundle.

    A history that is given counts instead of the one in the log; without one, a known user's log counts. Items the
    catalogue does not have, and repetitions, are left out of it. Where nothing is left, popularity answers.
    """

    def __init__(self, bundle: Bundle, block_bytes: int = BLOCK_BYTES) -> None:
        self.bundle, self.block_bytes = bundle, block_bytes

    def recommend(
        self,
        users: Sequence[Any] | None = None,
        histories: Sequence[History | None] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
    ) -> pd.DataFrame:
        """The k best items for each user or history.

        Args:
            users: raw ids, known or not; None for somebody without one.
            histories: one for each user, None where the log counts; without `users`, for nobody in particular.
            k: items an answer has; fewer where the catalogue has no more.
            exclude_seen: leave out items of the history.

        Returns:
            Rows in the order of the question, best first: `user_id` as asked, `item_id` as in the catalogue, `score`
            float32 (comparable within an answer only), `rank` from 1, `source` the model that answered.

        Raises:
            InputError: k is no whole number above 0, nobody is asked for, or users and histories differ in number.
        """
        k = min(_whole(k), len(self.bundle.data.items))
        asked, given = _question(users, histories)
        if not asked:
            return pd.DataFrame(columns=list(COLUMNS))
        history = self._histories(asked, given)
        model = WithFallback.of(self.bundle.serving, self.bundle.fallback)
        items, scores = recommend(model, history, k, exclude_seen=exclude_seen, block_bytes=self.block_bytes)
        row, place = np.nonzero(items != NO_ITEM)
        sources = np.where(history.lengths > 0, self.bundle.manifest.model, FALLBACK)
        return pd.DataFrame(
            {
                USER: pd.Series(asked, dtype=object).infer_objects()[row].to_numpy(),
                ITEM: self.bundle.data.items.raw(items[row, place]),
                "score": scores[row, place],
                "rank": place + 1,
                "source": sources[row],
            }
        )

    def _histories(self, users: list[Any], given: list[list[Any] | None]) -> Interactions:
        """One row a question: the history given, else what the log knows."""
        data = self.bundle.data
        row = _rows(data.users, users)
        from_log = np.flatnonzero([known >= 0 and own is None for known, own in zip(row, given, strict=True)])
        log = data.interactions.select(row[from_log])
        asker, item = self._flat(given)
        parts = (
            (from_log[log.user], asker),
            (log.item, item),
            # A history that is given is of now: after all that is in the log, in its own order.
            (log.time, self.bundle.manifest.last_event + 1 + np.arange(len(item))),
            (log.weight, np.ones(len(item), np.float32)),
        )
        columns = [np.concatenate(pair) for pair in parts]
        events = Interactions.build(*columns, n_users=len(users), n_items=len(data.items))
        features = data.interactions.features
        if features is None:
            return events
        of_known = features[np.maximum(row, 0)].multiply((row != UNKNOWN)[:, None])
        return replace(events, features=sparse.csr_matrix(of_known, dtype=np.float32))

    def _flat(self, given: list[list[Any] | None]) -> tuple[IntArray, IntArray]:
        """Whose [N] and which catalogue row [N], of all histories given; the first of each pair."""
        asker = np.repeat(np.arange(len(given)), [len(own or ()) for own in given])
        item = _rows(self.bundle.data.items, [raw for own in given for raw in own or ()])
        repeated = pd.DataFrame({"asker": asker, "item": item}).duplicated().to_numpy()
        kept = (item != UNKNOWN) & ~repeated
        return asker[kept], item[kept]


def _question(
    users: Sequence[Any] | None, histories: Sequence[History | None] | None
) -> tuple[list[Any], list[list[Any] | None]]:
    """Who asks and the history each brings, one entry a question."""
    if users is None and histories is None:
        raise InputError("nobody to recommend for: give users, histories, or both")
    given = None if histories is None else [_history(own) for own in histories]
    asked = None if users is None else [_id(user) for user in users]
    if asked is not None and given is not None and len(asked) != len(given):
        raise InputError(
            f"{len(asked)} users and {len(given)} histories: give each user one, None where the log counts"
        )
    return asked or [None] * len(given or ()), given or [None] * len(asked or ())


def _history(own: Any) -> list[Any] | None:
    if own is None or own is pd.NA or (isinstance(own, float) and np.isnan(own)):
        return None
    if isinstance(own, list | tuple | np.ndarray | pd.Series):
        return [_id(raw) for raw in own]
    raise InputError(f"a history is a list of item ids, oldest first; seen {own!r}")


def _rows(ids: IdMap, raw: list[Any]) -> IntArray:
    """Row numbers [n] of ids; None is nobody. As objects: beside None pandas would read 1 as 1.0."""
    return np.where([one is None for one in raw], UNKNOWN, ids.rows(pd.Series(raw, dtype=object)))


def _id(raw: Any) -> Any:
    """An id as it was meant: a column with gaps turns 42 into 42.0, and None into NaN."""
    if raw is pd.NA or (isinstance(raw, float | np.floating) and np.isnan(raw)):
        return None
    return int(raw) if isinstance(raw, float | np.floating) and float(raw).is_integer() else raw


def _whole(k: Any) -> int:
    try:
        number = operator.index(k)
    except TypeError:
        number = 0
    if number < 1 or isinstance(k, bool):
        raise InputError(f"k must be a whole number of at least 1; seen {k!r}")
    return number
