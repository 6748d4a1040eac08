"""A real disk that fills up: a mount of a few kilobytes, in a namespace that ends with the process that made it."""

import json
import shutil
import subprocess
import sys

import pytest

from recsys.errors import DiskFullError, full_disk
from tests import tiny

CONFIG = tiny.config("shop", trials=2, top='store = "store"', more="[promotion]\nbootstrap = 200")

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

def disk(folder, size, option=""):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{option}size={size}k", "none", folder], check=True)

def run(store, folders=()):
    config = load("shop.toml", [f"store={store}"])
    tracking.open_store(store)
    config, full = located(config), []
    sizes = dict.fromkeys(folders, 8)
    for folder in folders:
        (store / folder).mkdir(parents=True)
        disk(store / folder, 8)
    while True:
        try:
            done = attempt(config)
            break
        except DiskFullError as error:
            (folder,) = (folder for folder in folders if f"{store / folder}" in str(error))
            halves = [str(path) for path in store.rglob(".*") if path.name.endswith((".draft", ".trash"))]
            said = str(error).replace(f"{store}/", "")
            full.append({"folder": folder, "said": said, "halves": halves, "versions": len(registry.versions())})
            sizes[folder] = max(sizes[folder] + 8, sizes[folder] * 3 // 2)
            disk(store / folder, sizes[folder], "remount,")
    bundles = [path.name for path in store.glob("artifacts/models/*") if any(path.rglob("MLmodel"))]
    return done | {"full": full, "bundles": bundles}

print(json.dumps([run(Path("roomy").absolute()), run(Path("small").absolute(), sys.argv[1:])]))
"""
FOLDERS = [*(f"work/{kind}" for kind in ("validated", "prepared", "candidates", "bundles")), "artifacts"]


@pytest.fixture(scope="module")
def own_disks():
    """What a command is put behind that mounts disks nobody else sees; a container may forbid that."""
    command = ["unshare", "--map-root-user", "--mount"]
    if shutil.which(command[0]) is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("nobody may mount a disk of one's own here: unshare --map-root-user --mount")
    return command


def test_wherever_it_stops_it_goes_on(tmp_path, own_disks):
    """Every folder has a disk of its own, of two pages; each time one is full it grows, and the same is done again."""
    (tmp_path / "shop.toml").write_text(CONFIG)
    done = subprocess.run(
        [*own_disks, sys.executable, "-c", LITTLE_BY_LITTLE, *FOLDERS],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    roomy, small = json.loads(done.stdout.splitlines()[-1])
    assert roomy["full"] == []
    assert {one["folder"] for one in small["full"]} == {*FOLDERS}
    for one in small["full"]:
        assert one["said"].startswith(f"no room left on the disk of {one['folder']}"), one
        assert one["said"].endswith(", then do the same again, and it goes on where it was")
        assert (one["halves"], one["versions"]) == ([], 0), "nothing half-written lies about"
    assert (small["metrics"], small["version"]) == (roomy["metrics"], 1)
    assert len(small["bundles"]) == 1, "what was begun of others is gone"


def test_nothing_is_begun_on_a_disk_that_is_full_already(tmp_path, own_disks):
    """Prefect's server and MLflow would not answer, and not say why."""
    (tmp_path / "shop.toml").write_text(CONFIG)
    (tmp_path / "store").mkdir()
    recsys = f"{sys.executable} -c 'import sys; from flows.cli import main; sys.exit(main())'"
    script = f"mount -t tmpfs -o size=1m none store && {recsys} run shop.toml; said=$?; ls -A store; exit $said"
    done = subprocess.run(
        [*own_disks, "sh", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("recsys: no room left on the disk of store: free some")
    assert len(done.stderr.splitlines()) == 1


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
