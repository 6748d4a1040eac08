"""Two-way map between raw ids and row numbers; append-only, so a row number never changes its meaning."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recsys.data.schema import IntArray

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class IdMap:
    """Raw ids by row number.

    Ids that are all integers, and fit into int64, stay integers, so that an answer joins with the table they came
    from; everything else is text. A query may use either form: `"42"` and `42` are the same id.

    >>> items = IdMap.of([30, 10, 30])
    >>> items.rows(["10", 30, "x"]).tolist()
    [1, 0, -1]
    >>> items.raw([1]).tolist()
    [10]
    """

    values: np.ndarray[Any, Any]
    """[n] int64 or object (str); position = row number; no value twice."""

    @classmethod
    def of(cls, raw: Iterable[Any]) -> "IdMap":
        """Number ids in order of first appearance."""
        return cls(pd.unique(_normal(raw)))

    @property
    def is_integer(self) -> bool:
        """Whether raw ids are integers (else text)."""
        return bool(self.values.dtype.kind == "i")

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _index(self) -> "pd.Index[Any]":
        index: pd.Index[Any] = pd.Index(self.values)
        return index

    def rows(self, raw: Iterable[Any]) -> IntArray:
        """Row numbers [n] int64 of raw ids; -1 for an id that is not known."""
        return self._index.get_indexer(pd.Index(_like(raw, self.is_integer))).astype(np.int64)

    def raw(self, rows: Any) -> np.ndarray[Any, Any]:
        """Raw ids of row numbers."""
        found: np.ndarray[Any, Any] = self.values[np.asarray(rows, dtype=np.int64)]
        return found

    def extend(self, raw: Iterable[Any]) -> "IdMap":
        """A map that also knows these ids; old row numbers stay.

        Text joins integers by turning all ids into text.
        """
        new = _normal(raw)
        if not len(new):
            return self
        both = (self.values, new) if new.dtype.kind == self.values.dtype.kind else (_text(self.values), _text(new))
        return IdMap(pd.unique(np.concatenate(both)))


def _normal(raw: Iterable[Any]) -> np.ndarray[Any, Any]:
    series = raw if isinstance(raw, pd.Series) else pd.Series(list(raw) if not isinstance(raw, np.ndarray) else raw)
    if series.empty:
        return np.empty(0, dtype=object)
    if pd.api.types.is_integer_dtype(series.dtype) and series.max() <= np.iinfo(np.int64).max:
        return series.to_numpy(dtype=np.int64)
    return _text(series.to_numpy(dtype=object))


def _like(raw: Iterable[Any], integer: bool) -> np.ndarray[Any, Any]:
    """Bring a query to the form of the map; what cannot be an integer becomes an id nobody has."""
    values = _normal(raw)
    if integer and values.dtype.kind != "i":
        return np.array([_integer_or_self(value) for value in values], dtype=object)
    return values if integer else _text(values)


def _integer_or_self(value: str) -> int | str:
    try:
        number = int(value)
    except ValueError:
        return value
    return number if str(number) == value else value


def _text(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([str(value) for value in values], dtype=object)
