"""Servers to break, one of each for all faults, and a folder in which runs are started on them."""

import json
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest

from tests import servers

CONFIG = """
name = "{name}"
[data]
source = "synthetic?users=150&items=60&events=3000&communities=4"
[split]
method = "leave_last"
[models]
candidates = ["popularity", "als", "ease"]
device = "cpu"
[models.params]
als = {{ factors = 8, epochs = 2 }}
[tuning]
trials = 15
[hybrid]
methods = ["weighted"]
folds = 2
[retrain]
min_events = 1
"""
NUMBERS = count(1)
RECSYS = [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())"]


@pytest.fixture(scope="session")
def postgres():
    """PostgreSQL, which every test that stops it starts again."""
    try:
        server = servers.Postgres()
    except servers.MissingServerError as missing:
        pytest.skip(str(missing))
    with server:
        yield server


@pytest.fixture(scope="session")
def prefect(postgres, tmp_path_factory):
    """A Prefect server on PostgreSQL, which every test that stops it starts again."""
    with servers.Prefect(tmp_path_factory.mktemp("prefect"), postgres.url()) as server:
        yield server


@pytest.fixture(scope="session")
def place(prefect, tmp_path_factory):
    """Makes folders with `NAME.toml`: commands are typed there, workers start there, and scorecards are read there."""

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        (folder / f"{name}.toml").write_text(CONFIG.format(name=name))
        theirs = {"PREFECT_API_URL": prefect.url, "OMP_NUM_THREADS": "1"}

        def recsys(*words, **environment):
            how = {"cwd": folder, "env": servers.inherited() | theirs | environment}
            return subprocess.run([*RECSYS, *words], **how, capture_output=True, text=True, check=False, timeout=240)

        @contextmanager
        def worker(**environment):
            """For what is deployed here."""
            done = recsys("deploy", f"{name}.toml")
            assert done.returncode == 0, done.stderr
            with servers.Worker(folder, "recsys", **theirs, **environment) as started:
                yield started

        def tested():
            """What the last training measured on the test users; none where none has ended."""
            card = folder / "mlruns" / name / "scorecard.json"
            if not card.is_file():
                return None
            return {model: facts["test"] for model, facts in json.loads(card.read_text())["models"].items()}

        def train():
            """A run that is due now."""
            return prefect.run(f"train/{name}")

        return SimpleNamespace(
            folder=folder, recsys=recsys, worker=worker, train=train, tested=tested, midway="als: trial 5 of 15"
        )

    return make


@pytest.fixture
def shop(place):
    """An empty one."""
    return place(f"shop-{next(NUMBERS)}")


@pytest.fixture
def worker(shop):
    """For the deployments of the shop."""
    with shop.worker() as started:
        yield started


@pytest.fixture(scope="session")
def undisturbed(place):
    """What a training measures on the test users when nothing happens to it."""
    calm = place("calm")
    done = calm.recsys("run", "calm.toml")
    assert done.returncode == 0, done.stderr
    return calm.tested()
