"""User and item tables as sparse features: categories one-hot, lists multi-hot, numbers in quantile buckets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.data.idmap import IdMap

DELIMITER = "|"
"""Parts the values of a text that holds several: Action|Comedy."""
FEWEST = 2
"""A value that fewer rows have says nothing about other rows."""
MOST_VALUES = 1000
"""Of a column with more, the most frequent count."""
MOST_UNIQUE = 0.5
"""A text column with more distinct values than this share of its values names rows instead of describing them."""
BUCKETS = 10
EMPTY = "is empty"


@dataclass(frozen=True, eq=False)
class Features:
    """One row an id, one column a value of an attribute."""

    matrix: sparse.csr_matrix | None
    """[n_ids, n_features] float32, of ones; none when no column gives a feature."""
    names: tuple[str, ...]
    """Of the columns: genres=Comedy, age=[18, 25)."""
    skipped: dict[str, str]
    """Attribute -> why it gives no feature."""


def encode(table: pd.DataFrame, id_column: str, ids: IdMap) -> Features:
    """Turn the attributes of a table into features of `ids`; ids that are not in the table have none.

    Buckets and values are those of the table, never of the events.
    """
    rows = ids.rows(table[id_column])
    blocks: list[sparse.csr_matrix] = []
    names: list[str] = []
    skipped: dict[str, str] = {}
    for column in table.columns.drop(id_column):
        values = table[column].reset_index(drop=True)
        try:
            row, value, labels = _numeric(values) if _is_numeric(values) else _categories(values)
        except _SkippedError as reason:
            skipped[str(column)] = str(reason)
            continue
        known = rows[row] >= 0
        shape = (len(ids), len(labels))
        ones = np.ones(int(known.sum()), dtype=np.float32)
        blocks.append(sparse.csr_matrix((ones, (rows[row][known], value[known])), shape=shape))
        names += [f"{column}={label}" for label in labels]
    matrix = sparse.hstack(blocks, format="csr", dtype=np.float32) if blocks else None
    return Features(None if matrix is None else sparse.csr_matrix(matrix), tuple(names), skipped)


class _SkippedError(Exception):
    """A column gives no feature; the message says why."""


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_any_real_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values)


def _numeric(values: pd.Series) -> tuple[Any, Any, list[str]]:
    """Rows, bucket numbers and bucket names of a numeric column; dates count by year."""
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.dt.year
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    row = np.flatnonzero(np.isfinite(numbers))
    numbers = numbers[row]
    distinct = np.unique(numbers)
    if len(distinct) < 2:
        raise _SkippedError("has the same value everywhere" if len(distinct) else EMPTY)
    few = len(distinct) <= BUCKETS
    edges = distinct if few else _edges(numbers, distinct)
    lows = _written(edges)
    labels = [low if few else f"[{low}, {high})" for low, high in zip(lows, [*lows[1:], "inf"], strict=True)]
    return row, np.searchsorted(edges, numbers, side="right") - 1, labels


def _edges(numbers: Any, distinct: Any) -> Any:
    """Where buckets of as many rows each begin; a value that would fill several has one to itself."""
    quantiles = np.quantile(numbers, np.linspace(0, 1, BUCKETS + 1)[:-1], method="lower")
    edges, times = np.unique(quantiles, return_counts=True)
    above = np.searchsorted(distinct, edges[times > 1], side="right")
    return np.union1d(edges, distinct[above[above < len(distinct)]])


def _written(numbers: Any) -> list[str]:
    """Different numbers as different texts: in six digits, or as many more as tell them apart."""
    texts = ([f"{number:.{digits}g}" for number in numbers] for digits in range(6, 18))
    return next(found for found in texts if len(set(found)) == len(found))


def _categories(values: pd.Series) -> tuple[Any, Any, list[str]]:
    """Rows, value numbers and values of a column of categories, one or several a row."""
    filled = values[values.notna()]
    tokens = pd.Series([_several(value) for value in filled], index=filled.index, dtype=object).explode().dropna()
    texts = tokens.astype("str").str.strip()
    texts = texts[texts != ""]
    # A row that says the same twice has it once.
    pairs = pd.DataFrame({"row": texts.index, "value": texts.to_numpy()}).drop_duplicates()
    if pairs.empty:
        raise _SkippedError(EMPTY)
    counts = pairs["value"].value_counts(sort=False)
    if len(counts) > MOST_UNIQUE * len(pairs):
        raise _SkippedError(f"has {len(counts)} different values in {len(pairs)}: it names rows, like an id")
    labels = sorted(str(value) for value in counts[counts >= FEWEST].nlargest(MOST_VALUES).index)
    number = pd.Index(labels).get_indexer(pd.Index(pairs["value"]))
    kept = number >= 0
    return pairs["row"].to_numpy()[kept], number[kept], labels


def _several(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        raise _SkippedError("holds records, whose fields are no values: give each field a column of its own")
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return list(value)
    return str(value).split(DELIMITER)
