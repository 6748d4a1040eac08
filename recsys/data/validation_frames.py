"""The frames of validation: events as they are judged, as they are accepted, as they are set aside."""

from typing import Any

import numpy as np
import pandas as pd

from recsys.data.contract import PLAIN_INTEGER
from recsys.data.idmap import IdMap
from recsys.data.schema import ITEM, RATING, TIME, USER
from recsys.errors import InputError


def judged(events: pd.DataFrame) -> pd.DataFrame:
    """The frame that rules look at: ids as categories, times as float64 seconds, the rest as it is.

    Raises:
        InputError: an id column holds lists or mappings.
    """
    columns: dict[str, pd.Series] = {}
    for name in (USER, ITEM):
        if name in events:
            try:
                columns[name] = distinct_ids(events[name])
            except TypeError as error:
                raise InputError(f"{name} holds lists or mappings; an id is text or a whole number") from error
    if TIME in events:
        columns[TIME] = numbers(events[TIME])
    return events.assign(**columns)


def distinct_ids(raw: pd.Series) -> pd.Series:
    """Ids as a categorical [N]: one category a distinct id, so that rules look at each once.

    A float that is a whole number becomes that number: so is an integer read from a column with nulls.
    """
    ids = raw.astype("category")
    categories = ids.cat.categories
    if pd.api.types.is_integer_dtype(categories.dtype) or isinstance(categories.dtype, pd.StringDtype):
        return ids
    whole = [int(value) if isinstance(value, float) and value.is_integer() else value for value in categories]
    # As objects: an index that guesses its type would turn 1 back into 1.0 beside a 2.5.
    return pd.Series(
        pd.Categorical.from_codes(ids.cat.codes, pd.Index(whole, dtype=object)), index=raw.index, name=raw.name
    )


def numbers(column: pd.Series) -> "pd.Series[float]":
    """The column as float64 [N]; NaN where it holds no finite number."""
    parsed = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(np.where(np.isfinite(parsed), parsed, np.nan), index=column.index)


def id_maps(
    users: pd.DataFrame | None, items: pd.DataFrame | None, known_users: Any, known_items: Any
) -> dict[str, IdMap]:
    """Ids that rules may refer to, by key: of the tables and of the last batch, where given.

    Raises:
        InputError: a table has no id column.
    """
    tables: dict[str, IdMap] = {}
    for key, table, column in (("users", users, USER), ("items", items, ITEM)):
        if table is not None:
            if column not in table:
                raise InputError(f"the {key[:-1]} table has no column {column!r}; it has {', '.join(table.columns)}")
            tables[key] = _id_map(table[column])
    for key, known in (("known_users", known_users), ("known_items", known_items)):
        if known is not None:
            tables[key] = _id_map(pd.Series(list(known)))
    return tables


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the types their columns would have had, had the bad rows never been in the file."""
    rows = rows.infer_objects()
    columns: dict[str, pd.Series] = {name: rows[name].astype(np.int64) for name in (USER, ITEM) if _whole(rows[name])}
    if RATING in rows and not pd.api.types.is_numeric_dtype(rows[RATING].dtype):
        rating = numbers(rows[RATING])
        if rating.isna().equals(rows[RATING].isna()):
            columns[RATING] = rating
    return rows.assign(**columns)


def set_aside(events: pd.DataFrame, reasons: pd.Series) -> pd.DataFrame:
    """Bad rows as they came, with their number in the file (`row`, from 1) and the `reason`.

    Columns that mix types, which Parquet does not know, become text.
    """
    rows = events.loc[reasons.index]
    mixed = {
        str(name): column.map(str, na_action="ignore").astype("str")
        for name, column in rows.items()
        if column.dtype == object
    }
    return rows.assign(**mixed, row=reasons.index + 1, reason=reasons).reset_index(drop=True)


def _whole(ids: pd.Series) -> bool:
    """Whether every id is a whole number, or text that writes one plainly (42, not 042)."""
    if isinstance(ids.dtype, pd.StringDtype):
        return bool(ids.str.fullmatch(PLAIN_INTEGER).all())
    return pd.api.types.is_numeric_dtype(ids.dtype) and bool((ids % 1 == 0).all())


def _id_map(ids: pd.Series) -> IdMap:
    return IdMap.of(distinct_ids(ids).cat.categories)
