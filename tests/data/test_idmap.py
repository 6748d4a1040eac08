"""Id maps: both forms of an id, append-only growth, and what a stranger's id becomes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.idmap import UNKNOWN, IdMap

INTEGERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30)
# No surrogates: they cannot be written to any file the ids could have come from.
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=30)


@given(raw=INTEGERS | TEXTS)
def test_rows_and_raw_undo_each_other(raw: list) -> None:
    ids = IdMap.of(raw)
    assert ids.raw(ids.rows(raw)).tolist() == raw
    assert sorted(set(ids.rows(raw))) == list(range(len(ids)))


@given(first=INTEGERS | TEXTS, second=INTEGERS | TEXTS)
def test_growth_keeps_every_row_number(first: list, second: list) -> None:
    before = IdMap.of(first)
    after = before.extend(second)
    assert after.rows(first).tolist() == before.rows(first).tolist()
    assert (after.rows(second) != UNKNOWN).all()
    assert len(after) == len(set(map(str, first)) | set(map(str, second)))


def test_numbered_in_order_of_first_appearance() -> None:
    assert IdMap.of(["b", "a", "b", "c"]).values.tolist() == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("known", "asked", "rows"),
    [
        ([10, 20], ["20", 10, "020", "x", 30], [1, 0, -1, -1, -1]),
        (["007", "8"], ["007", 8, 7, "8"], [0, 1, -1, 1]),
        ([10, 20], pd.Series([20, 99]), [1, -1]),
        ([], ["a"], [-1]),
    ],
)
def test_either_form_of_an_id_is_the_same_id(known: list, asked: list, rows: list[int]) -> None:
    assert IdMap.of(known).rows(asked).tolist() == rows


def test_no_number_wraps_round() -> None:
    large = np.array([7, 2**63 + 5], np.uint64)
    assert IdMap.of(large).raw([0, 1]).tolist() == ["7", str(2**63 + 5)]
    assert IdMap.of([7]).rows(large).tolist() == [0, -1]


def test_text_turns_integers_into_text_and_keeps_their_rows() -> None:
    mixed = IdMap.of([10, 20]).extend(["x"])
    assert not mixed.is_integer
    assert mixed.rows([20, "10", "x"]).tolist() == [1, 0, 2]


def test_nothing_new_leaves_the_ids_as_they_are() -> None:
    for ids in (IdMap.of([1, 2]), IdMap.of(["a"])):
        assert ids.extend([]).values.tolist() == ids.values.tolist()
        assert ids.extend([]).is_integer == ids.is_integer
