"""The prepared set on disk: it comes back as it was, under a name that tells inputs apart, whole after a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recsys.config import Config, parse
from recsys.data import sources
from recsys.data.dataset import Split
from recsys.data.leakage import leakage_check
from recsys.data.prepare import prepare
from recsys.data.prepared import Prepared, digest_of, folder_of, load_prepared, save_prepared
from recsys.data.readers import read_events, read_table

SYNTHETIC = {"source": "synthetic?users=40&items=24&events=900&communities=3"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    asked = parse({"name": "small", "data": SYNTHETIC})
    return asked.model_copy(update={"data": sources.resolve(asked.data, tmp_path_factory.mktemp("store"))})


@pytest.fixture(scope="module")
def prepared(config: Config) -> Prepared:
    assert config.data.users is not None
    assert config.data.items is not None
    users = read_table(config.data.users, "user_id", config.data)
    items = read_table(config.data.items, "item_id", config.data)
    return prepare(read_events(config.data), users, items, config, digest_of(config))


def assert_same(one: Split, other: Split) -> None:
    assert leakage_check(one, "time") == leakage_check(other, "time")
    for name in ("user", "item", "time", "weight"):
        seen, expected = getattr(one.data.interactions, name), getattr(other.data.interactions, name)
        assert seen.dtype == expected.dtype
        np.testing.assert_array_equal(seen, expected)
    for a, b in ((one.data.users, other.data.users), (one.data.items, other.data.items)):
        assert a.values.dtype == b.values.dtype
        assert a.values.tolist() == b.values.tolist()
    assert one.data.user_feature_names == other.data.user_feature_names
    assert one.data.item_feature_names == other.data.item_feature_names
    for a, b in (
        (one.data.item_features, other.data.item_features),
        (one.test.history.features, other.test.history.features),
    ):
        assert a is not None
        assert b is not None
        np.testing.assert_array_equal(a.toarray(), b.toarray())


def test_round_trip(prepared: Prepared, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, prepared.summary["digest"])
    assert load_prepared(folder) is None
    save_prepared(prepared, folder)
    loaded = load_prepared(folder)
    assert loaded is not None
    assert loaded.summary == prepared.summary
    assert_same(loaded.split, prepared.split)


def test_round_trip_of_text_ids_without_features(tmp_path: Path, config: Config) -> None:
    events = read_events(config.data)
    events["user_id"] = "ü" + events["user_id"].astype("str")
    made = prepare(events, None, None, config)
    save_prepared(made, tmp_path / "set")
    loaded = load_prepared(tmp_path / "set")
    assert loaded is not None
    assert loaded.split.data.users.values.tolist() == made.split.data.users.values.tolist()
    assert loaded.split.data.users.rows(made.split.data.users.values).tolist() == list(
        range(len(loaded.split.data.users))
    )
    assert loaded.split.data.item_features is None


def test_no_pickle_in_the_folder(prepared: Prepared, tmp_path: Path) -> None:
    save_prepared(prepared, tmp_path / "set")
    assert {path.suffix for path in (tmp_path / "set").iterdir()} == {".npy", ".npz", ".json"}
    for path in (tmp_path / "set").glob("*.np?"):
        np.load(path, allow_pickle=False)


def test_the_digest_tells_inputs_apart(config: Config, tmp_path: Path) -> None:
    assert config.data.path is not None
    copy = tmp_path / "copy.csv"
    copy.write_bytes(Path(config.data.path).read_bytes())
    moved = config.model_copy(update={"data": config.data.model_copy(update={"path": str(copy)})})
    assert digest_of(moved) == digest_of(config)  # where a file lies does not matter
    copy.write_text(copy.read_text().replace("view", "cart", 1))
    others = [
        moved,
        *(
            config.model_copy(update={"data": config.data.model_copy(update=change)})
            for change in ({"k_core": 2}, {"users": None})
        ),
        config.model_copy(update={"split": config.split.model_copy(update={"test": 0.2})}),
        config.model_copy(update={"validation": config.validation.model_copy(update={"on_failure": "quarantine"})}),
        config.model_copy(update={"name": "other"}),
    ]
    assert len({digest_of(config), *map(digest_of, others)}) == 1 + len(others)
    same = config.model_copy(update={"tuning": config.tuning.model_copy(update={"trials": 1})})
    assert digest_of(same) == digest_of(config)


KILLED = """
import os, signal, sys
from pathlib import Path
from scipy import sparse
from recsys.data.prepared import load_prepared, save_prepared

def die(*_):  # the arrays are written, the features are next
    os.kill(os.getpid(), signal.SIGKILL)

prepared = load_prepared(Path(sys.argv[1]))
sparse.save_npz = die
save_prepared(prepared, Path(sys.argv[2]))
"""


def test_a_kill_while_writing_leaves_nothing_the_next_run_would_trust(prepared: Prepared, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    save_prepared(prepared, whole)
    done = subprocess.run([sys.executable, "-c", KILLED, str(whole), str(killed)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / ".killed.draft" / "log.user.npy").exists()
    assert load_prepared(killed) is None
    save_prepared(prepared, killed)
    loaded = load_prepared(killed)
    assert loaded is not None
    assert_same(loaded.split, prepared.split)
    assert not (tmp_path / ".killed.draft").exists()
