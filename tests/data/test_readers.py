"""Readers: every format and layout gives the same frame; every broken file a message that helps."""

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import ColumnNames, DataSection
from recsys.data.readers import parse_timestamps, read_events, read_table
from recsys.errors import InputError

LATEST = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n7,1029,3.0,1260759179\n"
LATEST_COLUMNS = ColumnNames(user_id="userId", item_id="movieId")


def section(path: Path, **more: object) -> DataSection:
    return DataSection(path=str(path), **more)


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix.lower() == ".gz" else text.encode())
    return path


def assert_latest(frame: pd.DataFrame) -> None:
    assert frame.columns.tolist() == ["user_id", "item_id", "timestamp", "rating"]
    assert frame.dtypes.astype("str").tolist() == ["int64", "int64", "Int64", "float64"]
    assert frame.to_numpy().tolist() == [[1, 31, 1260759144, 2.5], [7, 1029, 1260759179, 3.0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ratings.csv", LATEST),
        ("ratings.csv", "\ufeff" + LATEST),
        ("RATINGS.CSV", LATEST),
        ("ratings.csv.gz", LATEST),
        ("RATINGS.CSV.GZ", LATEST),
        ("ratings.tsv", LATEST.replace(",", "\t")),
        ("ratings.tsv.gz", LATEST.replace(",", "\t")),
        ("ratings.csv", LATEST.replace("timestamp\n", "timestamp,note\n").replace("44\n", '44,"a, b"\n')),
    ],
)
def test_movielens_latest_layout(tmp_path: Path, name: str, text: str) -> None:
    if "note" in text:
        text = text.replace("179\n", "179,c\n")
    assert_latest(read_events(section(write(tmp_path / name, text), columns=LATEST_COLUMNS)))


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"userId": [1, 7], "movieId": [31, 1029], "rating": [2.5, 3.0], "other": ["x", "y"]})
    frame["timestamp"] = pd.to_datetime([1260759144, 1260759179], unit="s", utc=True)
    frame["userId"] = frame["userId"].astype("float64")  # as pandas writes ids where one was missing once
    frame["movieId"] = frame["movieId"].astype("str").astype("category")
    frame.to_parquet(tmp_path / "ratings.parquet")
    assert_latest(read_events(section(tmp_path / "ratings.parquet", columns=LATEST_COLUMNS)))


def test_event_types_without_ratings_and_with_iso_times(tmp_path: Path) -> None:
    text = (
        "timestamp,visitor,event_type,item_id\n"
        "2024-03-01T12:00:00Z,ann,view,p-1\n2024-03-01 14:00:00+02:00,bob,buy,007\n"
    )
    path = write(tmp_path / "shop.csv", text)
    frame = read_events(section(path, columns=ColumnNames(user_id="visitor")))
    assert frame.to_numpy().tolist() == [["ann", "p-1", 1709294400, "view"], ["bob", "007", 1709294400, "buy"]]


@pytest.mark.parametrize(
    ("ids", "expected", "dtype"),
    [
        (["1", "20"], [1, 20], "int64"),
        (["1", ""], [1, None], "Int64"),
        (["1", "007"], ["1", "007"], "str"),
        (["1", "+2"], ["1", "+2"], "str"),
        (["1", "2.0"], ["1", "2.0"], "str"),
        (["1", str(2**64)], ["1", str(2**64)], "str"),
        (["a", "null"], ["a", None], "str"),
    ],
)
def test_ids_keep_their_form(tmp_path: Path, ids: list[str], expected: list, dtype: str) -> None:
    rows = "".join(f"{id_},i,5\n" for id_ in ids)
    column = read_events(section(write(tmp_path / "e.csv", "user_id,item_id,timestamp\n" + rows)))["user_id"]
    assert column.dtype == dtype
    assert [None if pd.isna(value) else value for value in column] == expected


def test_whole_numbers_beyond_64_bits_with_a_sign_are_names(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": np.array([7, 2**63 + 5], np.uint64), "item_id": [1, 2], "timestamp": [5, 6]}).to_parquet(
        tmp_path / "e.parquet"
    )
    assert read_events(section(tmp_path / "e.parquet"))["user_id"].tolist() == ["7", str(2**63 + 5)]


def test_what_cannot_be_read_is_left_to_the_contract(tmp_path: Path) -> None:
    text = "user_id,timestamp,rating\n1,soon,5\n2,90,good\n"
    frame = read_events(section(write(tmp_path / "e.csv", text)))
    assert frame.columns.tolist() == ["user_id", "timestamp", "rating"]
    assert frame["timestamp"].isna().tolist() == [True, False]
    assert frame["rating"].tolist() == ["5", "good"]


@pytest.mark.parametrize(
    ("values", "unit", "seconds"),
    [
        ([1500, -1], "ms", [1, -1]),
        ([1.9, np.nan, np.inf], "s", [1, None, None]),
        (["1500000", " 7000000 "], "us", [1, 7]),
        (["1970-01-02", "1970-01-01T00:00:01.9", "1e300", "x", None], "s", [86400, 1, None, None, None]),
        (["1970-01-01T01:00:00+01:00", "60000"], "ms", [0, 60]),
        (pd.to_datetime(["1970-01-02", None]), "ns", [86400, None]),
        ([date(1970, 1, 2), None], "s", [86400, None]),
        ([None, None], "s", [None, None]),
        ([-(2**63), -(2**63) // 1000, -62135596801, -62135596800], "s", [None, None, None, -62135596800]),
        ([-(2**63) // 1000, None, 7000.0], "ms", [None, None, 7]),
        ([str(-(2**63)), "0001-01-01", "-62135596801"], "s", [None, -62135596800, None]),
        (np.array([-(2**63) // 1000, 5000], "datetime64[ms]"), "s", [None, 5]),
    ],
)
def test_timestamps(values: list, unit: str, seconds: list[int | None]) -> None:
    parsed = parse_timestamps(pd.Series(values), unit)
    assert parsed.dtype == "Int64"
    assert [None if pd.isna(value) else value for value in parsed] == seconds


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.xlsx", b"PK", r"cannot tell the format from the name; allowed: \.csv, \.csv\.gz, \.tsv"),
        ("events.csv", None, "no file at .*events.csv; paths in a configuration are relative"),
        ("events.csv", b"", "is empty; expected a header line"),
        (
            "events.parquet",
            b"user_id,item_id\n1,2\n",
            "cannot be read as Parquet: .*give it the suffix of what it",
        ),
        ("events.csv", b"user_id,item_id,timestamp\n1,2\n", "cannot be read as CSV: .*Expected 3 columns, got 2"),
        ("events.csv", b"user_id,item_id,timestamp\n\xff,2,3\n", "cannot be read as CSV: .*utf-8"),
        ("events.csv.gz", b"user_id,item_id\n", "cannot be read as CSV: .*gzip"),
        ("events.csv", b"user_id,user_id,item_id\n1,2,3\n", "column names stand twice: user_id"),
        (
            "events.csv",
            b"196,242,3\n",
            r"none of the columns user_id, item_id, timestamp is there; columns seen: 196, 242, 3\. Say what",
        ),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_events(section(tmp_path / name))


def test_a_header_alone_is_a_log_without_events(tmp_path: Path) -> None:
    frame = read_events(section(write(tmp_path / "e.csv", "user_id,item_id,timestamp,rating\n")))
    assert frame.shape == (0, 4)


def test_table_keeps_attributes_in_their_types(tmp_path: Path) -> None:
    path = tmp_path / "films.parquet"
    pq.write_table(pa.table({"title": ["A", "B"], "movieId": [5, 6], "genres": [["x", "y"], ["x"]]}), path)
    table = read_table(path, "item_id", section(path, columns=LATEST_COLUMNS))
    assert table.columns.tolist() == ["item_id", "title", "genres"]
    assert table["item_id"].tolist() == [5, 6]
    assert [list(genres) for genres in table["genres"]] == [["x", "y"], ["x"]]


def test_table_may_use_the_name_of_the_schema(tmp_path: Path) -> None:
    path = write(tmp_path / "users.csv", 'user_id,age,note\n007,31,"two\nlines"\n')
    table = read_table(path, "user_id", section(path, columns=LATEST_COLUMNS))
    assert table.to_numpy().tolist() == [["007", 31, "two\nlines"]]


def test_table_takes_ids_from_the_mapped_column_only(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "sku,item_id,price\na,7,1\nb,7,2\n")
    table = read_table(path, "item_id", section(path, columns=ColumnNames(item_id="sku")))
    assert table.to_dict("list") == {"item_id": ["a", "b"], "price": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,age\n1,2\n", "no column 'user_id'; columns seen: id, age"),
        ("user_id,age\n1,2\n3,4\n1,5\n", r"'1' stands twice \(data row 3\); give every user_id exactly one row"),
        ("user_id,age\n1,2\n,4\n", r"an id is missing \(data row 2\)"),
    ],
)
def test_broken_tables(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "users.csv", text)
    with pytest.raises(InputError, match=message):
        read_table(path, "user_id", section(path))


def test_a_source_without_a_path_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="has no path yet"):
        read_events(DataSection(source="movielens-100k"))
