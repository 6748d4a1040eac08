"""Parts of a log: the name is the watermark, ids become what one file would have made of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.data.parts import (
    REJECTED,
    Counts,
    clear_drafts,
    contents,
    counts_of,
    folder_of,
    joined,
    read_parts,
    rows_of,
    watermark,
    write_part,
)


def frame(users, **columns):
    times = np.arange(len(users), dtype=np.int64)
    return pd.DataFrame({"user_id": users, "item_id": [f"i{user}" for user in users], "timestamp": times, **columns})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path, "toy")


def write(folder, number, events, aside=None, **counts):
    write_part(folder, number, events, frame([]) if aside is None else aside, Counts(len(events), **counts))


def test_nothing_was_ever_ingested(folder):
    assert (watermark(folder), read_parts(folder), rows_of(folder), contents(folder)) == (0, None, 0, [])
    assert counts_of(folder) == Counts()
    clear_drafts(folder)
    assert not folder.exists()


def test_parts_are_read_in_their_order_and_from_a_watermark(folder):
    """Numbers with more digits than the names are wide come last."""
    for number, users in ((10**12, ["c"]), (7, ["a"]), (30, ["b", "a"])):
        write(folder, number, frame(users))
    assert watermark(folder) == 10**12
    assert read_parts(folder)["user_id"].tolist() == ["a", "b", "a", "c"]
    assert rows_of(folder) == 4


def test_an_empty_part_moves_the_watermark_and_not_the_content(folder):
    write(folder, 5, frame(["a"]))
    before = contents(folder)
    write(folder, 9, frame([]), impressions=4)
    assert (watermark(folder), contents(folder), rows_of(folder)) == (9, before, 1)
    write(folder, 12, frame(["a"]))
    assert len(contents(folder)) == 2


def test_counts_are_kept_with_the_parts_and_add_up(folder):
    write(folder, 5, frame(["a", "b"]), frame(["x"], reason="no id"), impressions=3, rejected={"no id": 1})
    write(folder, 6, frame(["a"]), frame(["y", "z"], reason="late"), rejected={"late": 1, "no id": 1})
    counts = counts_of(folder)
    assert counts == Counts(3, 3, {"no id": 2, "late": 1})
    assert counts.drained == 9
    assert pd.read_parquet(folder / REJECTED / "up-to-000000000006.parquet")["user_id"].tolist() == ["y", "z"]


def test_what_a_killed_writer_left_is_cleared(folder):
    write(folder, 5, frame(["a"]), frame(["x"], reason="late"))
    for name in (".up-to-000000000009.parquet.draft", "rejected/.up-to-000000000009.parquet.draft"):
        (folder / name).write_text("half")
    (folder / "rejected" / "up-to-000000000009.parquet").write_text("its part never came")
    clear_drafts(folder)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == ["rejected/up-to-000000000005.parquet", "up-to-000000000005.parquet"]


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ([[1, 2], ["3"]], [1, 2, 3]),
        ([["1", "2"], [3]], [1, 2, 3]),
        ([[1, 2], ["anna"]], ["1", "2", "anna"]),
        ([["anna"], [7]], ["anna", "7"]),
        ([[1], ["007"]], ["1", "007"]),
    ],
)
def test_ids_of_several_parts(folder, users, expected):
    """A log that had whole numbers once, and has text now, or the other way round."""
    for number, ids in enumerate(users, start=1):
        write(folder, number, frame(ids))
    found = read_parts(folder)["user_id"]
    assert found.tolist() == expected
    assert found.dtype == ("int64" if isinstance(expected[0], int) else "str")


def test_a_log_and_its_parts(folder):
    log = frame([1, 2], rating=[3, 4]).astype({"timestamp": "Int64"})
    both = joined(log, frame([2, 9], event_type=["view", "buy"]))
    assert both["user_id"].tolist() == [1, 2, 2, 9]
    assert both["timestamp"].dtype == "Int64"
    assert both["rating"].tolist()[:2] == [3, 4]
    assert both["rating"].isna().tolist() == [False, False, True, True]
    assert both["event_type"].isna().tolist() == [True, True, False, False]
    assert joined(log, frame(["anna"]))["user_id"].tolist() == ["1", "2", "anna"]
    missing = joined(log.assign(user_id=pd.array([1, None], "Int64")), frame(["anna"]))["user_id"]
    assert missing.isna().tolist() == [False, True, False], "what is missing stays missing"
