"""Features by hand: categories, lists, numbers, dates, and the columns that give none."""

import numpy as np
import pandas as pd
import pytest

from recsys.data.features import MOST_VALUES, encode
from recsys.data.idmap import IdMap


def encoded(**columns: list) -> tuple[list[list[float]], list[str], dict[str, str]]:
    """Matrix, names and skipped columns of a table of items 0, 1, 2, …"""
    n = len(next(iter(columns.values())))
    features = encode(pd.DataFrame({"item_id": range(n), **columns}), "item_id", IdMap.of(range(n)))
    rows = [] if features.matrix is None else features.matrix.toarray().tolist()
    return rows, list(features.names), features.skipped


def test_categories_seen_once_are_dropped() -> None:
    rows, names, _ = encoded(genre=["a", "b", "a", "c", "b", "a", None])
    assert names == ["genre=a", "genre=b"]
    assert rows == [[1, 0], [0, 1], [1, 0], [0, 0], [0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    "genres",
    [
        ["x|y", "x", "x | y|y", ""],
        [["x", "y"], ["x"], ["x", "y", "y"], []],
        [np.array(["x", "y"]), ["x"], ("x", "y"), None],
        [["x", None, " y "], ["x", np.nan, ""], [pd.NA, "y", "x"], [None]],
    ],
)
def test_several_values_a_row(genres: list) -> None:
    rows, names, _ = encoded(genres=genres)
    assert names == ["genres=x", "genres=y"]
    assert rows == [[1, 1], [1, 0], [1, 1], [0, 0]]


def test_few_numbers_are_values_of_their_own() -> None:
    rows, names, _ = encoded(stars=[1, 3, 1, 2.5], sold=[True, False, True, False])
    assert names == ["stars=1", "stars=2.5", "stars=3", "sold=False", "sold=True"]
    assert rows == [[1, 0, 0, 0, 1], [0, 0, 1, 1, 0], [1, 0, 0, 0, 1], [0, 1, 0, 1, 0]]


def test_many_numbers_fall_into_ten_equal_buckets() -> None:
    rows, names, _ = encoded(price=[*range(100), None])
    assert names[:2] + names[-1:] == ["price=[0, 9)", "price=[9, 19)", "price=[89, inf)"]
    assert np.array(rows)[:100].sum(axis=0).tolist() == pytest.approx([10] * 10, abs=1)
    assert np.array(rows)[:100].sum(axis=1).tolist() == [1] * 100
    assert rows[100] == [0] * 10


def test_what_is_more_than_the_most_frequent_number_is_told_from_it() -> None:
    """Most have bought nothing."""
    rows, names, _ = encoded(bought=[*[0] * 370, *range(1, 31)])
    assert names == ["bought=[0, 1)", "bought=[1, inf)"]
    assert np.array(rows).sum(axis=0).tolist() == [370, 30]
    rows, names, _ = encoded(age=[*range(10, 29), *[30] * 60, *range(31, 52)])
    assert names == ["age=[10, 19)", "age=[19, 30)", "age=[30, 31)", "age=[31, 41)", "age=[41, inf)"]
    assert np.array(rows).sum(axis=0).tolist() == [9, 10, 60, 10, 11]
    _, names, _ = encoded(full=[*range(10), *[10] * 90])
    assert names == ["full=[0, 9)", "full=[9, 10)", "full=[10, inf)"]


def test_empty_columns_are_skipped_and_no_features_are_none() -> None:
    gone = {"text": [None, ""], "tags": [[], None], "number": [np.nan, None], "date": pd.to_datetime([None, None])}
    features = encode(pd.DataFrame({"item_id": [0, 1], **gone}), "item_id", IdMap.of(range(2)))
    assert features.matrix is None
    assert features.skipped == dict.fromkeys(gone, "is empty")


def test_names_tell_close_numbers_apart() -> None:
    day = [20240101, 20240102] * 2
    _, names, _ = encoded(day=day, share=[0.1, 0.1 + 1e-9, 0.5, 0.5])
    assert names == ["day=20240101", "day=20240102", "share=0.1", "share=0.100000001", "share=0.5"]
    _, names, _ = encoded(seconds=[1_700_000_000 + n for n in range(100)])
    assert len(set(names)) == 10
    assert names[0] == "seconds=[1.7e+09, 1.70000001e+09)"


def test_dates_count_by_year() -> None:
    _, names, _ = encoded(released=pd.to_datetime(["1999-01-01", "1999-12-31", "2001-05-05", None]))
    assert names == ["released=1999", "released=2001"]


def test_columns_that_describe_nothing_are_skipped_and_said() -> None:
    same = ["a", "b", "c"] * 1500
    _, names, skipped = encoded(title=[f"t{n}" for n in range(4500)], constant=[7] * 4500, same=same)
    assert names == ["same=a", "same=b", "same=c"]
    assert skipped == {
        "title": "has 4500 different values in 4500: it names rows, like an id",
        "constant": "has the same value everywhere",
    }


def test_of_very_many_values_the_most_frequent_count() -> None:
    """v0 to v1199 twice each, and v0 to v299 once more."""
    tags = [f"v{number % 1200}" for number in range(2700)]
    rows, names, _ = encoded(tag=tags)
    assert len(names) == MOST_VALUES
    assert {f"tag=v{number}" for number in range(300)} < set(names)
    assert sum(not any(row) for row in rows) == 400  # 200 values of two rows each


def test_records_are_skipped() -> None:
    rows, _, skipped = encoded(maker=[{"name": "a", "city": "b"}, {"name": "a", "city": "c"}, None])
    assert rows == []
    assert skipped == {"maker": "holds records, whose fields are no values: give each field a column of its own"}


def test_a_column_of_names_is_skipped() -> None:
    rows, _, skipped = encoded(name=["ann", "bob", "cid", "ann"])
    assert rows == []
    assert skipped == {"name": "has 3 different values in 4: it names rows, like an id"}


def test_rows_are_those_of_the_id_map() -> None:
    table = pd.DataFrame({"item_id": ["b", "gone", "a"], "kind": ["x", "x", "x"]})
    features = encode(table, "item_id", IdMap.of(["a", "cold", "b"]))
    assert features.matrix is not None
    assert features.matrix.toarray().tolist() == [[1], [0], [1]]
    assert features.matrix.dtype == np.float32
