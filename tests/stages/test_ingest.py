"""Ingest: what joins the log and what does not, each event once, also when it is killed or run twice at a time."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from recsys.data.parts import Counts, folder_of, read_parts
from recsys.data.validation_report import ContractError
from recsys.feedback.database import URL
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from recsys.stages import ingest as stage
from recsys.stages.ingest import counts_markdown, ingest, so_far, waiting, watermark

TIME = 1_700_000_000


@pytest.fixture(autouse=True)
def on_sqlite(monkeypatch):
    monkeypatch.delenv(URL, raising=False)


@pytest.fixture
def feed(tmp_path):
    """Puts events into the feedback store, user, item and the type as they are given."""
    sent = 0

    def put(*events, **fields):
        nonlocal sent
        with open_store(tmp_path / "store") as store:
            for user, item, kind in events:
                sent += 1
                shown = {"request_id": f"r{sent}"} if kind == "impression" else {}
                store.append([Event(f"e{sent}", user, item, kind, TIME + sent, **shown, **fields)], "the test")

    return put


def parts_of(tmp_path, folder="."):
    return sorted(path.name for path in (tmp_path / "store" / "ingested" / "toy" / folder).glob("up-to-*"))


def ingested(config):
    return read_parts(folder_of(config.store, config.name))


def pairs(events):
    return [*events[["user_id", "item_id"]].itertuples(index=False, name=None)]


def test_new_events_become_a_part(configure, feed, tmp_path):
    config = configure()
    feed(("7", "101", "view"), ("7", "102", "impression"), ("900", "101", "purchase"))
    assert ingest(config) == Counts(accepted=2, impressions=1)
    assert watermark(config) == 3
    assert parts_of(tmp_path) == ["up-to-000000000003.parquet"]
    assert not (tmp_path / "store" / "work" / "ingested" / "toy").exists()
    events = ingested(config)
    assert pairs(events) == [(7, 101), (900, 101)], "whole numbers, as in the log"
    assert events["event_type"].tolist() == ["view", "purchase"]
    assert events["timestamp"].tolist() == [TIME + 1, TIME + 3]
    assert "rating" not in events
    feed(("8", "103", "rate"), rating=4.5)
    assert ingest(config) == Counts(accepted=1)
    assert pairs(ingested(config))[2:] == [(8, 103)]
    assert ingested(config)["rating"].tolist()[2:] == [4.5]
    assert so_far(config) == Counts(3, 1)
    assert counts_markdown(Counts(1), so_far(config)).splitlines() == [
        "| events | now | so far |",
        "|---|---:|---:|",
        "| drained | 1 | 4 |",
        "| accepted | 1 | 3 |",
        "| impressions, no interactions | 0 | 1 |",
    ]


def test_nothing_new(configure, feed, tmp_path):
    config = configure()
    assert not waiting(config)
    assert ingest(config) == Counts()
    assert not (tmp_path / "store").exists(), "to look makes no store"
    feed(("7", "101", "impression"))
    assert ingest(config) == Counts(impressions=1)
    assert ingested(config) is None
    assert (waiting(config), watermark(config)) == (False, 1)
    assert ingest(config) == Counts()
    assert parts_of(tmp_path) == ["up-to-000000000001.parquet"]


def test_nothing_new_is_cheap(tmp_path):
    """Without Great Expectations, whose import alone takes seconds."""
    program = (
        "import sys; from recsys.config import parse; from recsys.stages.ingest import ingest\n"
        "config = parse({'name': 'toy', 'store': sys.argv[1], 'data': {'path': 'nowhere.csv'}})\n"
        "assert ingest(config).drained == 0; assert 'great_expectations' not in sys.modules"
    )
    with open_store(tmp_path):
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_bad_events_are_rejected_with_their_reasons(configure, feed, tmp_path):
    config = configure(
        data={"event_weights": {"view": 1, "(none)": 1, "hover": 0}},
        validation={"max_bad_fraction": 0.6, "rating_max": 5},
    )
    feed(
        ("7", "101", "view"), ("anna", "101", "view"), ("8", "0101", "view"), ("8", "102", "cart"), ("9", "9", "hover")
    )
    feed(("9", "102", "view"), rating=9)
    counts = ingest(config)
    assert (counts.accepted, counts.drained) == (2, 6)
    assert counts.rejected == {
        "user_id is a whole number": 1,
        "item_id is a whole number": 1,
        "event_type has a weight": 1,
        "rating is in its range": 1,
    }
    rejected = pd.read_parquet(tmp_path / "store/ingested/toy/rejected/up-to-000000000006.parquet")
    assert rejected.set_index("event_id")["reason"].to_dict() == {
        "e2": "user_id is a whole number",
        "e3": "item_id is a whole number",
        "e4": "event_type has a weight",
        "e6": "rating is in its range",
    }
    assert rejected["user_id"].tolist() == ["anna", "8", "8", "9"], "as they came"
    assert "| rejected: not so that item_id is a whole number | 1 | 1 |" in counts_markdown(counts, so_far(config))


def test_ids_of_nineteen_digits_are_whole_numbers(configure, feed, tmp_path, toy_events):
    events = toy_events()
    events["user_id"] += 1790000000000000000
    events.to_csv(tmp_path / "events.csv", index=False)
    feed(("1790000000000000007", "101", "view"), ("1790000000000000099", "101", "view"))
    assert ingest(configure()) == Counts(accepted=2)
    assert pairs(ingested(configure())) == [(1790000000000000007, 101), (1790000000000000099, 101)]


def test_where_the_log_has_text_any_id_will_do(configure, feed, tmp_path, toy_events):
    toy_events(as_text=True).to_csv(tmp_path / "events.csv", index=False)
    feed(("7", "i101", "view"), ("anna", "42", "view"))
    assert ingest(configure()) == Counts(accepted=2)
    assert pairs(ingested(configure())) == [("7", "i101"), ("anna", "42")]


def test_items_must_be_in_the_table_of_the_log(configure, feed, tmp_path):
    (tmp_path / "items.csv").write_text("item_id,camp\n" + "".join(f"{item},0\n" for item in range(101, 125)))
    config = configure(data={"items": str(tmp_path / "items.csv")}, validation={"max_bad_fraction": 0.5})
    feed(("7", "101", "view"), ("7", "999", "view"))
    assert ingest(config).rejected == {"item_id is in the item table": 1}


def test_a_batch_of_mostly_bad_events_is_refused_and_waits(configure, feed, tmp_path):
    config = configure(validation={"min_events": 10})
    feed(("7", "101", "view"))
    ingest(config)
    feed(("anna", "101", "view"), ("8", "102", "view"), ("9", "103", "view"))
    for _ in range(2):
        with pytest.raises(ContractError, match=r"1 of 3 rows \(33\.3%\) break a rule") as refusal:
            ingest(config)
    assert "None of these 3 events was ingested" in str(refusal.value)
    assert "--set validation.max_bad_fraction=1" in str(refusal.value)
    assert (watermark(config), parts_of(tmp_path), parts_of(tmp_path, "rejected")) == (
        1,
        ["up-to-000000000001.parquet"],
        [],
    )
    assert (tmp_path / "store/work/ingested/toy/validation.html").is_file()
    counts = ingest(configure(validation={"max_bad_fraction": 1}))
    assert (counts.accepted, counts.rejected) == (2, {"user_id is a whole number": 1})
    assert not (tmp_path / "store/work/ingested/toy").exists(), "it tells of rejected users"


def test_a_bad_event_in_a_small_batch_is_rejected_and_the_others_come_in(configure, feed):
    """Five of a hundred may be bad, and so five of fewer."""
    config = configure()
    feed(*(("anna", "101", "view") for _ in range(5)), ("8", "102", "view"))
    assert ingest(config) == Counts(accepted=1, rejected={"user_id is a whole number": 5})
    feed(*(("anna", "101", "view") for _ in range(6)), ("8", "103", "view"))
    with pytest.raises(ContractError, match=r"6 of 7 rows"):
        ingest(config)


def test_all_of_them_may_be_rejected_where_that_is_wanted(configure, feed):
    config = configure(validation={"max_bad_fraction": 1})
    feed(("anna", "101", "view"))
    assert ingest(config) == Counts(rejected={"user_id is a whole number": 1})
    assert (watermark(config), ingested(config), waiting(config)) == (1, None, False)


def test_the_smallest_sizes_are_those_of_a_log_also_in_a_suite_of_ones_own(configure, feed, tmp_path):
    suite = """
    expectations:
      - {type: expect_table_row_count_to_be_between, kwargs: {min_value: 100}}
      - {type: expect_column_values_to_be_in_set, kwargs: {column: event_type, value_set: [view]}}
    """
    (tmp_path / "suite.yaml").write_text(suite)
    config = configure(validation={"suite": str(tmp_path / "suite.yaml"), "max_bad_fraction": 0.5})
    feed(("7", "101", "view"), ("7", "102", "buy"))
    assert ingest(config).rejected == {"event_type expect_column_values_to_be_in_set": 1}


def test_two_at_a_time_take_each_event_once(configure, feed):
    config = configure()
    feed(*((str(user), "101", "view") for user in range(1, 30)))
    with ThreadPoolExecutor(2) as pool:
        counts = [*pool.map(ingest, [config, config])]
    assert sorted(one.accepted for one in counts) == [0, 29]
    assert pairs(ingested(config)) == [(user, 101) for user in range(1, 30)]


def test_a_long_backlog_becomes_several_parts(configure, feed, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "PART", 10)
    monkeypatch.setattr("recsys.feedback.store.BATCH", 4)
    feed(*((str(user), "101", "view") for user in range(1, 30)))
    assert ingest(configure()) == Counts(accepted=29)
    assert parts_of(tmp_path) == [f"up-to-{number:012d}.parquet" for number in (12, 24, 29)]
    assert pairs(ingested(configure())) == [(user, 101) for user in range(1, 30)]


KILLED = """
import os, signal, sys
from recsys.config import Config
from recsys.feedback import store
from recsys.stages import ingest

store.BATCH = ingest.PART = 10
replace = os.replace

def kill(draft, final):
    if str(final).endswith("toy/up-to-000000000020.parquet"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(draft, final)

os.replace = kill
ingest.ingest(Config.model_validate_json(sys.argv[1]))
"""


def test_killed_with_the_rejected_events_there_and_their_part_not(configure, feed, tmp_path):
    config = configure(validation={"max_bad_fraction": 0.5})
    events = [(str(number) if number % 5 else "anna", "101", "view") for number in range(1, 26)]
    feed(*events)
    done = subprocess.run([sys.executable, "-c", KILLED, config.model_dump_json()], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (watermark(config), len(ingested(config))) == (10, 8)
    assert parts_of(tmp_path, "rejected")[1:] == ["up-to-000000000020.parquet"]
    feed(("30", "101", "view"))
    counts = ingest(config)
    assert (counts.accepted, counts.rejected) == (13, {"user_id is a whole number": 3})
    assert pairs(ingested(config)) == [(int(user), 101) for user, *_ in events if user != "anna"] + [(30, 101)]
    rejected = [*(tmp_path / "store/ingested/toy/rejected").iterdir()]
    assert sum(len(pd.read_parquet(path)) for path in rejected) == 5, "each of them once"
    assert {path.name for path in rejected} <= set(parts_of(tmp_path))
