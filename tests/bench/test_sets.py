"""The sets of the bench: prepared by the product, or said to be missing."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import __main__ as bench
from bench import sets
from bench.fit_ours import dataset
from bench.results import Options, Result
from bench.rows import table
from bench.sets import MissingSetError

ROWS = Path(table.__file__).parent
WRITTEN = sorted(path.stem for path in ROWS.glob("*.py") if path.stem not in ("__init__", "table"))


@pytest.fixture
def split(tmp_path, monkeypatch):
    """A small synthetic log, cut in time: some users of its test have no history."""
    monkeypatch.setattr(sets, "STORE", tmp_path)
    monkeypatch.setitem(sets.SOURCES, "synthetic", ("synthetic?users=100&items=50&events=1000", "time"))
    sets.load.cache_clear()
    yield sets.load("synthetic")
    sets.load.cache_clear()


def test_a_part_holds_users_with_a_history_and_what_was_known(split):
    part = sets.test(split)
    log = part.data.interactions
    assert len(log) == len(split.train) + len(split.validation_events)
    assert len(part.users) < len(split.test)  # who has no history is left out
    np.testing.assert_array_equal(part.holdout.history.item, log.select(part.users).item)
    np.testing.assert_array_equal(part.holdout.truth.item, split.test_events.select(part.users).item)


def test_no_more_validation_users_than_asked(split):
    assert len(sets.validation(split, most=7).users) == 7
    assert len(sets.validation(split, most=7).holdout) == 7


def test_a_task_is_the_log_of_its_part(split):
    part = sets.validation(split)
    task = part.task(2, model="als")
    assert (task.threads, task.params) == (2, {"model": "als"})
    assert (task.matrix() != split.train.matrix()).nnz == 0
    assert task.item_features.shape[0] == task.n_items == 50
    log = dataset(task).interactions
    for name in ("user", "item", "time"):
        np.testing.assert_array_equal(getattr(log, name), getattr(part.data.interactions, name))


def test_a_set_whose_files_are_missing_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    with pytest.raises(MissingSetError, match=f"yelp: no yelp.parquet in {tmp_path}; set BENCH_DATA"):
        sets.load("yelp")


def test_a_missing_set_is_left_out_and_the_report_is_written(tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    monkeypatch.setattr("bench.results.RESULTS", tmp_path)
    monkeypatch.setattr("bench.report.write", lambda results: f"{len(results)} results")
    with caplog.at_level("INFO"):
        assert bench.main(["ease", "--sets", "yelp,lastfm"]) == 0
    assert "ease yelp: left out: yelp: no yelp.parquet" in caplog.text
    assert capsys.readouterr().out == "0 results\n"


@pytest.mark.parametrize("name", WRITTEN)
def test_every_row_has_its_place_and_sets_that_there_are(name):
    assert name in table.NAMES
    assert set(table.row(name).SETS) <= {"", *sets.NAMES}
    assert callable(table.row(name).measure)


def test_options_are_what_the_issue_asks():
    assert (Options().runs, Options().threads) == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["als", "--sets", "yelpp"], "unknown: yelpp; there are yelp, lastfm, ml-1m, ml-100k, synthetic"),
        (["asl"], "unknown: asl; there are als, ease, "),
    ],
)
def test_a_row_or_set_that_is_none_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        bench.main(arguments)
    assert message in capsys.readouterr().err


def test_without_arguments_every_row_is_asked_for(monkeypatch, capsys):
    """Each was measured by this code before, on the one set of its own."""
    asked = []
    monkeypatch.setattr(bench, "row", lambda name: SimpleNamespace(SETS=("",)))
    monkeypatch.setattr("bench.results.current", lambda name, data: asked.append(name) or Result(name, data, []))
    monkeypatch.setattr("bench.report.write", lambda results: "written")
    assert bench.main([]) == 0
    assert tuple(asked) == table.NAMES
