"""Answers in batches on a real registry: exact, resumable after kill -9, and up to date with what came in since."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from recsys import registry, tracking
from recsys.config import load
from recsys.data.parts import Counts, folder_of, write_part
from recsys.errors import InputError
from recsys.feedback.database import URL
from recsys.feedback.store import open_store
from recsys.serving.load import load_engine
from recsys.stages import batch
from recsys.stages.batch import batch_markdown, recommend_all

PART = 20
KILLED = f"""
import os, signal, sys
import recsys.stages.batch as batch
from recsys import tracking
from recsys.config import load

batch.PART_USERS = {PART}
write, parts = batch.pq.write_table, []

def killed_in_the_second(table, path):
    parts.append(path)
    write(table if len(parts) == 1 else table.slice(0, 3), path)
    if len(parts) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

batch.pq.write_table = killed_in_the_second
config = load(sys.argv[1])
tracking.open_store(config.store)
batch.recommend_all(config, k=5)
"""


@pytest.fixture
def config(toy, monkeypatch):
    """Of the toy store, which is open; 60 users in three parts."""
    monkeypatch.setattr(batch, "PART_USERS", PART)
    monkeypatch.delenv(URL, raising=False)
    config = load(toy / "toy.toml")
    tracking.open_store(config.store)
    return config


@pytest.fixture
def ingest(config):
    """Adds events to what was ingested: (user, item), the latest last."""

    def add(*pairs):
        events = pd.DataFrame(pairs, columns=["user_id", "item_id"]).assign(
            timestamp=range(100_000, 100_000 + len(pairs))
        )
        write_part(folder_of(config.store, "toy"), len(pairs), events, events[:0], Counts(len(pairs)))

    return add


def answers(folder):
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))], ignore_index=True)


def latest(config):
    return json.loads((folder_of(config.store, "x").parents[1] / "recommendations/recsys-toy/latest.json").read_text())


def test_everybody_is_answered_as_the_engine_answers(config):
    done, folder, reused = recommend_all(config, k=5)
    assert (done.users, done.parts, done.version, done.k, done.since, reused) == (60, 3, 2, 5, 0, False)
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        *(f"part-0000{number}.parquet" for number in range(3)),
    ]
    engine, found = load_engine(), answers(folder)
    expected = pd.concat([engine.recommend([user], k=5) for user in range(1, 61)], ignore_index=True)
    # Sums of a matrix product may differ in their last bits with the number of users.
    columns = {"rank": "int32", "source": found["source"].dtype}
    pd.testing.assert_frame_equal(found, expected.astype(columns), rtol=1e-5)
    assert done.rows == len(found) == 300


def test_ids_are_those_of_the_log_and_every_part_has_the_same_columns(config):
    _, folder, _ = recommend_all(config, k=5)
    schemas = {str(pq.read_schema(path).remove_metadata()) for path in folder.glob("*.parquet")}
    assert schemas == {"user_id: int64\nitem_id: int64\nscore: float\nrank: int32\nsource: string"}


def test_a_finished_batch_is_found_again(config, caplog):
    first, folder, _ = recommend_all(config, k=5)
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with caplog.at_level("INFO", logger="recsys"):
        again, same, reused = recommend_all(config, k=5)
    assert (again, same, reused) == (first, folder, True)
    assert "version 2 has answered everybody already" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written


def test_another_model_of_the_same_number_answers_anew(config, monkeypatch):
    """As in another registry, or where versions were deleted and numbers began again."""
    _, folder, _ = recommend_all(config, k=5)
    version = replace(batch.version_of(config), run_id="another")
    monkeypatch.setattr(batch, "version_of", lambda *_: version)
    _, other, reused = recommend_all(config, k=5)
    assert not reused
    assert other != folder
    assert (folder / "manifest.json").is_file()


def test_a_killed_batch_goes_on_where_it_was(config, toy, tmp_path):
    command = [sys.executable, "-c", KILLED, str(toy / "toy.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (folder,) = (toy / "store" / "recommendations" / "recsys-toy").glob("v2-*")
    assert [path.name for path in folder.glob("*.parquet")] == ["part-00000.parquet"]
    assert not (folder.parent / "latest.json").exists()
    kept = (folder / "part-00000.parquet").stat().st_mtime_ns
    batch_, same, reused = recommend_all(config, k=5)
    assert (same, reused) == (folder, False)
    assert (folder / "part-00000.parquet").stat().st_mtime_ns == kept
    _, whole, _ = recommend_all(config, k=5, out=tmp_path / "whole")
    pd.testing.assert_frame_equal(answers(folder), answers(whole))
    assert batch_.rows == len(answers(whole))
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_device_of_the_configuration_scores(config):
    """A machine without CUDA cannot do what it is told to; one that has it answers as a CPU does."""
    on_cuda = config.model_copy(update={"models": config.models.model_copy(update={"device": "cuda"})})
    if torch.cuda.is_available():
        pd.testing.assert_frame_equal(*(answers(recommend_all(one, k=3)[1]) for one in (config, on_cuda)), rtol=1e-4)
    else:
        with pytest.raises(InputError, match=r"models.device is cuda, but torch .* finds no CUDA device here; set it"):
            recommend_all(on_cuda, k=3)


def test_a_file_is_no_place_for_batches(config, toy):
    with pytest.raises(InputError, match=r"toy\.toml cannot be written: .*toy\.toml is a file; name a folder"):
        recommend_all(config, k=3, out=toy / "toy.toml")


def test_nobody_is_shown_what_they_took_since(config, ingest):
    _, before, _ = recommend_all(config, k=3)
    shown = answers(before).groupby("user_id")["item_id"].agg(list)
    ingest((1, shown[1][0]), (61, 113), (61, 114), (62, 999))
    done, after, reused = recommend_all(config, k=3)
    assert (done.users, done.since, reused) == (62, 3, False)
    assert after != before
    assert before.is_dir()
    now = answers(after)
    lists = now.groupby("user_id")["item_id"].agg(list)
    assert shown[1][0] not in lists[1]
    assert lists[2] == shown[2]
    assert lists[61] == load_engine().recommend(histories=[[113, 114]], k=3)["item_id"].tolist()
    assert set(now["source"][now["user_id"] == 62]) == {"popularity"}
    assert recommend_all(config, k=3)[2]


@pytest.mark.parametrize("rules", [{"event_weights": {"buy": 2.0, "look": 0.0}}, {"min_rating": 3.0}])
def test_only_what_a_model_would_learn_from_counts(config, rules):
    events = pd.DataFrame(
        {"user_id": [1, 1], "item_id": [101, 102], "timestamp": [9, 9], "event_type": ["buy", "look"], "rating": [5, 2]}
    )
    write_part(folder_of(config.store, "toy"), 2, events, events[:0], Counts(2))
    ruled = config.model_copy(update={"data": config.data.model_copy(update=rules)})
    done, folder, _ = recommend_all(ruled, k=24)
    found = answers(folder)
    assert done.since == 1
    assert set(found["item_id"][found["user_id"] == 1]) & {101, 102} == {102}


def test_an_id_that_is_no_number_makes_text_of_all(config, ingest):
    ingest(("guest", "113"))
    _, folder, _ = recommend_all(config, k=2)
    found = answers(folder)
    assert set(found["user_id"]) == {*map(str, range(1, 61)), "guest"}
    assert found["item_id"].dtype == "int64"


def test_the_forgotten_get_no_answer_until_they_come_back(config, ingest):
    ingest((3, 101), (4, 102))
    with open_store(config.store) as feedback:
        feedback.forget("1")
        feedback.forget("3", at=99_999)
    done, folder, _ = recommend_all(config, k=2)
    found = answers(folder)
    assert done.users == 59
    assert 1 not in set(found["user_id"])
    only = load_engine().recommend(histories=[[101]], k=2)["item_id"].tolist()
    assert found["item_id"][found["user_id"] == 3].tolist() == only


def test_another_champion_answers_anew_and_latest_follows(config):
    _, second, _ = recommend_all(config, k=2)
    assert (latest(config)["folder"], latest(config)["version"]) == (second.name, 2)
    registry.rollback("recsys-toy")
    _, first, reused = recommend_all(config, k=2)
    assert (first.name.startswith("v1-k2-"), reused) == (True, False)
    assert latest(config)["folder"] == first.name
    registry.rollback("recsys-toy")
    assert recommend_all(config, k=2)[2]
    assert latest(config)["folder"] == second.name


def test_a_version_that_is_named_answers_without_being_the_latest(config):
    _, champion, _ = recommend_all(config, k=2)
    done, folder, _ = recommend_all(config, k=2, model="models:/recsys-toy/1")
    assert (done.model, folder.name.startswith("v1-k2-")) == ("models:/recsys-toy/1", True)
    assert latest(config)["folder"] == champion.name


def test_what_will_never_be_finished_goes(config):
    top = folder_of(config.store, "x").parents[1] / "recommendations" / "recsys-toy"
    for name in ("v2-k2-00000000", "v2-k3-00000000"):
        (top / name).mkdir(parents=True)
        (top / name / "part-00000.parquet").write_bytes(b"old")
    _, folder, _ = recommend_all(config, k=2)
    assert {path.name for path in top.glob("v*")} == {folder.name, "v2-k3-00000000"}


def test_the_page_says_what_was_answered(config):
    done, folder, _ = recommend_all(config, k=2)
    page = batch_markdown(done, folder)
    assert "| model | models:/recsys-toy/2 |" in page
    assert "| rows | 120, 2 a user at most |" in page


def test_no_champion(config, new_store):
    store = new_store("empty")
    empty = config.model_copy(update={"store": str(store)})
    with pytest.raises(
        InputError, match=r"recsys-toy has no champion to answer; make one with recsys run CONFIG, .*none"
    ):
        recommend_all(empty)
    assert not (store / "recommendations").exists()


@pytest.mark.parametrize("k", [0, -3, 2.5, True])
def test_k_that_is_no_number_of_items(config, k):
    with pytest.raises(InputError, match="k must be a whole number of at least 1"):
        recommend_all(config, k=k)
