"""Stage 2: prepared once, checked for leaks always, told as a table."""

import shutil

import numpy as np
import pytest

from recsys.data.leakage import LeakageError
from recsys.stages.preprocess import preprocess, split_markdown
from recsys.stages.workspace import prepared_set


def test_the_set_is_prepared_once(configure):
    folder, reused = preprocess(configure())
    assert not reused
    assert preprocess(configure()) == (folder, True)
    other, reused = preprocess(configure(split={"method": "ratio"}))
    assert (other == folder, reused) == (False, False)


def test_a_set_that_leaks_is_not_used_even_when_it_is_found(configure):
    """Somebody copied the test events over the validation events of a prepared set."""
    folder, _ = preprocess(configure())
    for array in ("user", "item", "time", "weight"):
        shutil.copy(folder / f"test.{array}.npy", folder / f"validation.{array}.npy")
    prepared_set.__globals__["_read"].cache_clear()
    with pytest.raises(LeakageError):
        preprocess(configure())


def test_the_split_as_a_table(configure):
    folder, _ = preprocess(configure())
    assert split_markdown(folder).splitlines() == [
        "Split by `leave_last`; leakage check **passed**.",
        "",
        "| | |",
        "|---|---:|",
        "| events | 480 |",
        "| users | 60 |",
        "| items | 24 |",
        "| train events | 360 |",
        "| validation events | 60 |",
        "| test events | 60 |",
        "| validation users | 60 |",
        "| test users | 60 |",
    ]


def test_users_with_fewer_than_three_events_train_only(configure, tmp_path, toy_events):
    events = toy_events()
    events = events[(events["user_id"] > 2) | (events["timestamp"] < 20_000)]
    events.to_csv(tmp_path / "events.csv", index=False)
    split = prepared_set(preprocess(configure())[0]).split
    rows = split.data.users.rows([1, 2])
    assert split.train.lengths[rows].tolist() == [2, 2]
    assert split.test_events.lengths[rows].tolist() == [0, 0]
    assert np.delete(split.test_events.lengths, rows).tolist() == [1] * 58
