"""Forgetting a user everywhere: the store, what was computed, the next model; killed in the middle and done again."""

import json
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest

from recsys import registry, stale, tracking
from recsys.data.parts import Counts, folder_of, write_part
from recsys.errors import InputError
from recsys.feedback.database import URL
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from recsys.serving.bundle import Bundle
from recsys.stages import promote as gate
from recsys.stages.batch import recommend_all
from recsys.stages.forget import Gone, forget
from recsys.stages.ingest import ingest

KILLED = """
import os, signal, sys
from recsys.cli import main
import recsys.stages.forget

def kill(*args, **how):
    os.kill(os.getpid(), signal.SIGKILL)

POINT = kill
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def _sqlite(monkeypatch):
    monkeypatch.delenv(URL, raising=False)


def event(number, user="7", item_id="tea"):
    return Event(f"e{number}", user, item_id, "view", 1_700_000_000 + number)


@pytest.fixture
def world(toy):
    """A store where users 7 and 8 are everywhere: events, parts, a batch, what was prepared, two versions."""
    store = toy / "store"
    with open_store(store) as feedback:
        feedback.append([event(1), event(2, item_id="of-seven"), event(3, "8")], "a test")
    both = pd.DataFrame({"user_id": [7, 8, 7], "item_id": [101, 102, 103], "timestamp": [1, 2, 3]})
    write_part(folder_of(store, "toy"), 3, both, both.astype(str).assign(reason="no reason"), Counts(3))
    batch = store / "recommendations" / "recsys-toy" / "v2-k3-0123"
    batch.mkdir(parents=True)
    both.to_parquet(batch / "part-00000.parquet")
    (batch / ".part-00001.parquet.draft").write_text("half of one")
    for digest in ("0a", "0b"):
        prepared = store / "work" / "prepared" / digest
        prepared.mkdir(parents=True)
        (prepared / "ids.json").write_text(json.dumps({"users": [7, 8]}))
    (store / "work" / "candidates" / "ease-0c").mkdir(parents=True)
    return store


def users(store):
    """Of all Parquet files of a store, as text."""
    return {str(user) for path in store.rglob("*.parquet") for user in pd.read_parquet(path)["user_id"]}


def told(store):
    tracking.open_store(store)
    return {one.number: one.tags.get(stale.STALE) for one in registry.versions()}


class TestEverywhere:
    def test_what_goes_and_what_stays(self, world):
        gone = forget(world, "7")
        assert gone == Gone(2, 0, ingested=4, recommendations=2, computed=3, stale=gone.stale, deleted=())
        assert [one.number for one in gone.stale] == [1, 2]
        assert users(world) == {"8"}
        assert not (world / "work").exists()
        assert not list(world.rglob("*.draft"))
        assert set(told(world).values()) == {"it learnt from a user who was forgotten"}
        assert "7" not in "".join(filter(None, told(world).values()))

    def test_tables_keep_their_columns(self, world):
        forget(world, "7")
        part = pd.read_parquet(folder_of(world, "toy") / "up-to-000000000003.parquet")
        assert part.to_dict("records") == [{"user_id": 8, "item_id": 102, "timestamp": 2}]

    def test_again(self, world):
        since = {}
        for expected in (2, 0):
            assert forget(world, "7").events == expected
            since[expected] = [one.tags[stale.SINCE] for one in registry.versions()]
        assert since[2] == since[0]

    def test_an_unknown_user_changes_nothing(self, world):
        before = sorted(path for path in world.rglob("*") if path.suffix != ".draft")
        with pytest.raises(InputError, match=r"nobody in .*store is called '70': no event, no model"):
            forget(world, "70")
        assert sorted(path for path in world.rglob("*") if "lock" not in path.name) == [
            path for path in before if "lock" not in path.name
        ]
        with open_store(world) as feedback:
            assert feedback.forgotten().digest == ""
        assert set(told(world).values()) == {None}

    def test_a_store_that_is_not_there(self, tmp_path):
        with pytest.raises(InputError, match="nobody in"):
            forget(tmp_path / "no", "7")
        assert not (tmp_path / "no").exists()

    @pytest.mark.parametrize("place", ["ingested", "recommendations", "work"])
    def test_known_in_one_place_only(self, world, place):
        for other in world.iterdir():
            if other.is_dir() and other.name != place:
                shutil.rmtree(other)
            elif other.name.startswith(("feedback.db", "mlflow.db")):
                other.unlink()
        gone = forget(world, "7")
        found = {"ingested": gone.ingested, "recommendations": gone.recommendations, "work": gone.computed}
        assert [name for name, count in found.items() if count] == [place]
        assert users(world) <= {"8"}
        with open_store(world) as feedback:
            assert feedback.forgotten().until_of(7) is not None

    def test_known_by_a_model_only(self, toy):
        assert [one.number for one in forget(toy / "store", "7").stale] == [1, 2]


class TestVersions:
    def test_one_that_no_alias_needs_is_deleted_with_its_artifacts(self, store, toy_bundle):
        run = tracking.start("toy", "run")
        toy_bundle(store / "made")
        for number in (1, 2, 3):
            registry.register(store / "made", "recsys-toy", run.id)
            registry.promote("recsys-toy", number, {}, against=number - 1 or None)
        shutil.rmtree(store / "made")
        bundles = {one.number: registry.download(one) for one in registry.versions()}
        gone = forget(store, "7", delete_versions=True)
        assert [one.number for one in gone.deleted] == [1]
        assert [one.number for one in gone.stale] == [2, 3]
        assert [number for number, bundle in bundles.items() if bundle.exists()] == [2, 3]
        assert registry.rollback("recsys-toy") == (3, 2)

    def test_one_whose_artifacts_are_gone(self, store, toy_bundle):
        run = tracking.start("toy", "run")
        toy_bundle(store / "made")
        for _ in range(2):
            registry.register(store / "made", "recsys-toy", run.id)
        shutil.rmtree(registry.download(registry.versions()[0]).parents[1])
        assert [one.number for one in forget(store, "7").stale] == [2]


@pytest.mark.parametrize(
    "point",
    [
        "recsys.feedback.database.Database.wipe",
        "recsys.stages.forget.pq.write_table",
        "recsys.stages.forget.shutil.rmtree",
    ],
)
def test_killed_and_done_again(world, point):
    command = [sys.executable, "-c", KILLED.replace("POINT", point), "forget", "--user", "7", "--store", str(world)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    forget(world, "7")
    assert users(world) == {"8"}
    assert not list(world.glob("work")) + list(world.glob(".*.trash")) + list(world.rglob("*.draft"))
    assert None not in told(world).values()
    with open_store(world) as feedback:
        assert [event.event_id for batch in feedback.after() for event in batch.events] == ["e3"]
    assert not [path for path in world.glob("feedback.db*") if b"of-seven" in path.read_bytes()]


NAME = "somebody-nobody-else-is-called"


def test_no_trace_in_the_store_and_in_the_next_model(configure, stages, store, toy_events, tmp_path):
    """The log that was given still has the user; nothing that is made of it does."""
    events = toy_events(as_text=True).replace({"user_id": {"u7": NAME}})
    events.to_csv(tmp_path / "text.csv", index=False)
    config = configure(store=store, data={"path": str(tmp_path / "text.csv")})

    def through():
        done = stages(config)
        run = tracking.start("toy", "run")
        promotion = gate.promote(config, done.prepared, done.fitted, done.outcome, done.tested, run.id)
        return done.prepared, promotion.version

    def holding():
        """First folders of the files in which the name stands; Parquet is read, because it is compressed."""
        plain = {path for path in store.rglob("*") if path.is_file() and NAME.encode() in path.read_bytes()}
        tables = {path for path in store.rglob("*.parquet") if NAME in set(pd.read_parquet(path)["user_id"])}
        return {path.relative_to(store).parts[0] for path in plain | tables}

    with open_store(store) as feedback:
        new = [Event(f"n{n}", NAME, f"i{n}", "view", 1_700_000_000) for n in (101, 102)]
        feedback.append([*new, Event("n3", "u8", "i101", "view", 1_700_000_000)], "a test")
    ingest(config)
    prepared, first = through()
    recommend_all(config, k=3)
    assert len(prepared.split.data.users) == 60
    assert holding() >= {"feedback.db", "ingested", "work", "recommendations", "artifacts"}

    forget(store, NAME)
    assert holding() == {"artifacts"}, "the registered version, until it is deleted"
    prepared, second = through()
    assert len(prepared.split.data.users) == 59
    assert second != first
    versions = {one.number: one for one in registry.versions()}
    assert NAME not in Bundle.load(registry.download(versions[second])).data.users.values
    assert [number for number, one in versions.items() if stale.STALE in one.tags] == [first]
