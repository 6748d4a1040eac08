"""A real disk that fills up: a mount of a few kilobytes, in a namespace that ends with the process that made it."""

import json
import subprocess
import sys

import pytest

from recsys.errors import DiskFullError, full_disk

CONFIG = """
name = "shop"
store = "store"
[data]
source = "synthetic?users=150&items=60&events=3000&communities=4"
[split]
method = "leave_last"
[models]
candidates = ["popularity", "ease"]
device = "cpu"
[tuning]
trials = 2
[hybrid]
methods = ["weighted"]
folds = 2
[promotion]
bootstrap = 200
"""

LITTLE_BY_LITTLE = """
import json, subprocess, sys
from pathlib import Path

from recsys import registry, tracking
from recsys.config import load
from recsys.errors import DiskFullError
from recsys.stages.pipeline import train
from recsys.stages.preprocess import preprocess
from recsys.stages.promote import promote
from recsys.stages.validate import validate
from recsys.stages.workspace import located, prepared_set

def attempt(config):
    validate(config)
    prepared = prepared_set(preprocess(config)[0])
    done = train(config, prepared)
    run = tracking.start("shop", "shop", resume_key="one")
    promoted = promote(config, prepared, done.fitted, done.outcome, done.tested, run.id)
    return {"metrics": done.tested.metrics, "version": promoted.version}

def disk(folder, size, option):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{option}size={int(size)}k", "none", folder], check=True)

def on_a_disk_that_grows(store, folder, size):
    config = load("shop.toml", [f"store={store}"])
    tracking.open_store(store)
    config, full = located(config), []
    (store / folder).mkdir(parents=True)
    disk(store / folder, size, "")
    while True:
        try:
            done = attempt(config)
            break
        except DiskFullError as error:
            halves = [str(path) for path in store.rglob(".*") if path.name.endswith((".draft", ".trash"))]
            full.append({"said": str(error), "halves": halves, "versions": len(registry.versions())})
            size *= 1.2
            disk(store / folder, size, "remount,")
    bundles = [path.name for path in store.glob("artifacts/models/*") if any(path.rglob("MLmodel"))]
    return done | {"full": full, "bundles": bundles}

print(json.dumps([
    on_a_disk_that_grows(Path("roomy").absolute(), "work", 1_000_000),
    on_a_disk_that_grows(Path("small").absolute(), "work", 40),
    on_a_disk_that_grows(Path("other").absolute(), "artifacts", 100),
]))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on a disk with room; one with a small disk under work/, one with a small disk under artifacts/.

    Each time the small one is full, it becomes a fifth larger, and the same is done again.
    """
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.toml").write_text(CONFIG)
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", sys.executable, "-c", LITTLE_BY_LITTLE],
        cwd=folder, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_wherever_work_stops_it_goes_on(runs):
    """The results come out as on a disk with room, and nothing half-written lies about meanwhile."""
    roomy, small, _ = runs
    assert roomy["full"] == []
    assert len(small["full"]) > 5
    for one in small["full"]:
        assert one["said"].startswith("no room left on the disk of ")
        assert "/small/work/" in one["said"]
        assert (one["halves"], one["versions"]) == ([], 0)
    assert len({one["said"] for one in small["full"]}) > 3, "at several steps"
    assert (small["metrics"], small["version"]) == (roomy["metrics"], 1)


def test_where_mlflow_keeps_the_models(runs):
    roomy, _, small = runs
    assert small["full"]
    for one in small["full"]:
        assert one["said"].startswith("no room left on the disk of ")
        assert "/other/artifacts/models/" in one["said"]
        assert (one["halves"], one["versions"]) == ([], 0)
    assert (small["metrics"], small["version"]) == (roomy["metrics"], 1)
    assert len(small["bundles"]) == 1, "what was begun is gone"


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (OSError(28, "No space left on device", "a.npy"), "a.npy"),
        (OSError(28, "No space left on device", "a.npy", None, "b.npy"), "b.npy"),
        (OSError(122, "Disk quota exceeded", "a.npy"), "a.npy"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), None),
    ],
)
def test_who_says_it_in_which_words(error, where):
    told = full_disk(error)
    assert isinstance(told, DiskFullError)
    assert str(told).startswith(f"no room left on the disk{f' of {where}' if where else ''}: free some")


def test_what_is_another_matter():
    assert full_disk(OSError(13, "Permission denied", "a.npy")) is None
    error = RuntimeError("training failed")
    error.__cause__ = OSError(28, "No space left on device", "a.npy")
    assert full_disk(error) is not None
