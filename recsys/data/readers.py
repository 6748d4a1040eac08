"""Readers of CSV, TSV and Parquet: your columns under the names of the schema, ids in the form you wrote them."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from recsys.config import DataSection
from recsys.data.schema import COLUMNS, ITEM, RATING, REQUIRED, TIME, USER
from recsys.errors import InputError

SUFFIXES = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t", ".parquet": None}
"""File suffix -> delimiter; none for Parquet."""

NULLS = ["", "null", "NULL", "None", "NA", "nan", "NaN"]
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
YEAR_1 = -62_135_596_800
"""The first second that has a date."""


def read_events(data: DataSection) -> pd.DataFrame:
    """Read the event log at `data.path`.

    Returns:
        The columns of the schema that the file has, under the schema's names: ids int64 where every one is a
        plainly written integer, else text; timestamp Int64 seconds, NA where it cannot be read; rating as it is.
        A missing column is left to the data contract to judge.

    Raises:
        InputError: the file is missing, empty or broken, or has none of the required columns.
    """
    if data.path is None:
        raise ValueError(f"source {data.source!r} has no path yet: recsys.data.sources.resolve fetches it")
    path = _checked(data.path)
    names = {getattr(data.columns, name): name for name in COLUMNS}
    seen = _header(path)
    if not {getattr(data.columns, name) for name in REQUIRED} & set(seen):
        keys = ", ".join(f'{name} = "…"' for name in REQUIRED)
        raise InputError(
            f"{path}: none of the columns {_listed(getattr(data.columns, name) for name in REQUIRED)} is there; "
            f"columns seen: {_listed(seen)}. Say what they are called in [data.columns]: {keys}"
        )
    table = _read(path, [name for name in seen if name in names], as_text=seen)
    events = {names[name]: table.column(name) for name in table.column_names}
    readers = {USER: _ids, ITEM: _ids, TIME: _numbers, RATING: _numbers}
    frame = pd.DataFrame(
        {name: readers.get(name, _values)(events[name]) for name in COLUMNS if name in events}, copy=False
    )
    if TIME in frame:
        frame[TIME] = parse_timestamps(frame[TIME], data.timestamp_unit)
    return frame


def read_table(path: str | Path, id_column: str, data: DataSection) -> pd.DataFrame:
    """Read a user or item table: the id column (`user_id` or `item_id`) first, then the attributes.

    Raises:
        InputError: the file is missing, empty or broken, has no id column, or an id is missing or stands twice.
    """
    path = _checked(path)
    seen = _header(path)
    mapped = getattr(data.columns, id_column)
    found = mapped if mapped in seen else id_column
    if found not in seen:
        raise InputError(
            f"{path}: no column {mapped!r}; columns seen: {_listed(seen)}. "
            f'Rename it in the file, or say what it is called: [data.columns] {id_column} = "…"'
        )
    table = _read(path, seen, as_text=[found])
    ids = _ids(table.column(found))
    if ids.isna().any() or ids.duplicated().any():
        row = int(np.flatnonzero(ids.isna() | ids.duplicated())[0])
        problem = f"{str(ids[row])!r} stands twice" if pd.notna(ids[row]) else "an id is missing"
        raise InputError(f"{path}: {problem} (data row {row + 1}); give every {id_column} exactly one row")
    # Where ids are called otherwise, a column with their name in the schema holds other ids, and describes nothing.
    attributes = {name: _values(table.column(name)) for name in seen if name not in (found, id_column)}
    return pd.DataFrame({id_column: ids, **attributes}, copy=False)


def parse_timestamps(values: pd.Series, unit: str = "s") -> "pd.Series[Any]":
    """Turn times into Int64 seconds since 1970 UTC; NA where a value cannot be read, or lies before the year 1.

    Numbers, and text that is a number, are in `unit` (s, ms, us, ns); other text is ISO 8601; without a time zone
    it is UTC. Fractions of a second are cut off downwards.

    >>> parse_timestamps(pd.Series(["1970-01-02", "90", "soon"])).tolist()
    [86400, 90, <NA>]
    """
    seconds = _parsed(values, unit)
    # So early is the least number there is, which stands for a missing time; one too late is the contract's to name.
    return seconds.mask((seconds < YEAR_1).fillna(False))


def _parsed(values: pd.Series, unit: str) -> "pd.Series[Any]":
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _seconds(pd.to_datetime(values, utc=True))
    if pd.api.types.is_integer_dtype(values.dtype):
        return values.astype("Int64") // PER_SECOND[unit]
    if pd.api.types.is_float_dtype(values.dtype):
        return _floor(values, unit)
    text = values.astype("str").str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    dates = pd.to_datetime(text.where(numbers.isna()), format="ISO8601", utc=True, errors="coerce")
    return _floor(numbers, unit).fillna(_seconds(dates))


def _seconds(dates: pd.Series) -> "pd.Series[Any]":
    whole = pd.Series(dates.dt.as_unit("s").astype("int64"), index=dates.index).astype("Int64")
    return whole.mask(dates.isna())


def _floor(numbers: pd.Series, unit: str) -> "pd.Series[Any]":
    seconds = np.floor(numbers.to_numpy(np.float64, na_value=np.nan) / PER_SECOND[unit])
    # 2**62 seconds is far beyond any date, and safely inside int64.
    readable = np.abs(seconds) < 2.0**62
    whole = np.where(readable, seconds, 0).astype(np.int64)
    return pd.Series(pd.arrays.IntegerArray(whole, ~readable), index=numbers.index, name=numbers.name)


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if _suffix(path) is None:
        raise InputError(f"{path}: cannot tell the format from the name; allowed: {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"no file at {path}; paths in a configuration are relative to the configuration's folder")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; expected a header line with column names, then one row an event")
    return path


def _suffix(path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def _delimiter(path: Path) -> str | None:
    return SUFFIXES[_suffix(path) or ".csv"]


def _header(path: Path) -> list[str]:
    """Column names, in order."""
    delimiter = _delimiter(path)
    try:
        if delimiter is None:
            names = list(pq.read_schema(path).names)
        else:
            opener = gzip.open if path.suffix.lower() == ".gz" else open
            with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
                names = next(csv.reader(lines, delimiter=delimiter), [])
    except (pa.ArrowInvalid, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _broken(path, error) from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: column names stand twice: {_listed(twice)}; give every column its own name")
    return names


def _read(path: Path, columns: list[str], as_text: list[str]) -> pa.Table:
    """Read these columns; in text files those named in `as_text` are not guessed at ("007" is no number)."""
    delimiter = _delimiter(path)
    try:
        if delimiter is None:
            return pq.read_table(path, columns=columns)
        compression = "gzip" if path.suffix.lower() == ".gz" else None
        return pacsv.read_csv(
            pa.input_stream(path, compression=compression),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(as_text, pa.string()),
                null_values=NULLS,
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> InputError:
    kind = {",": "CSV", "\t": "TSV", None: "Parquet"}[_delimiter(path)]
    reason = str(error).splitlines()[0].rstrip(".")
    return InputError(
        f"{path} cannot be read as {kind}: {reason}. "
        f"Repair the file, or give it the suffix of what it holds ({', '.join(SUFFIXES)})"
    )


def _ids(column: pa.ChunkedArray) -> "pd.Series[Any]":
    """int64 where every id is one, written plainly (42; not 042, not 4.2e1); too large ones as text; else as it is."""
    column = _plain(column)
    try:
        numbers = pc.cast(column, pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Whole numbers beyond int64 are names like any other.
        return _values(pc.cast(column, pa.string()) if pa.types.is_integer(column.type) else column)
    if pa.types.is_string(column.type) and not pc.all(pc.equal(pc.cast(numbers, pa.string()), column)).as_py():
        return _values(column)
    return _values(numbers)


def _numbers(column: pa.ChunkedArray) -> "pd.Series[Any]":
    """Numbers where every text is one, else as it is."""
    column = _plain(column)
    if pa.types.is_string(column.type):
        for dtype in (pa.int64(), pa.float64()):
            try:
                return _values(pc.cast(pc.utf8_trim_whitespace(column), dtype))
            except pa.ArrowInvalid:
                continue
    return _values(column)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries and the wider text types as plain text."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    wide = pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type)
    return pc.cast(column, pa.string()) if wide else column


def _values(column: pa.ChunkedArray) -> "pd.Series[Any]":
    nullable = {pa.int64(): pd.Int64Dtype()}.get if column.null_count else None
    values: pd.Series[Any] = column.to_pandas(types_mapper=nullable, date_as_object=False)
    return values


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
