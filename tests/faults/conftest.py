"""Servers to break, one of each for all faults, and a folder in which runs are started on them."""

import json
import subprocess
import sys
from itertools import count

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


class Place:
    """A folder with `NAME.toml`: it is deployed from there, worked for and looked at."""

    midway, tuned = "als: trial 5 of 15", "als: trial 15 of 15"

    def __init__(self, folder, name, prefect):
        self.folder, self.name, self._prefect = folder, name, prefect
        self._environment = {"PREFECT_API_URL": prefect.url, "OMP_NUM_THREADS": "1"}
        (folder / f"{name}.toml").write_text(CONFIG.format(name=name))

    def recsys(self, command):
        """`recsys COMMAND NAME.toml`."""
        how = {"cwd": self.folder, "env": servers.inherited() | self._environment}
        done = subprocess.run(
            [*RECSYS, command, f"{self.name}.toml"], **how, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stderr

    def worker(self, **environment):
        """For what is deployed here."""
        self.recsys("deploy")
        return servers.Worker(self.folder, "recsys", **self._environment, **environment)

    def train(self):
        """A run that is due now."""
        return self._prefect.run(f"train/{self.name}")

    def tested(self):
        """What the last training measured on the test users; none where none has ended."""
        card = self.folder / "mlruns" / self.name / "scorecard.json"
        if not card.is_file():
            return None
        return {model: facts["test"] for model, facts in json.loads(card.read_text())["models"].items()}


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


@pytest.fixture
def shop(prefect, tmp_path_factory):
    """A place where nothing has happened yet."""
    name = f"shop-{next(NUMBERS)}"
    return Place(tmp_path_factory.mktemp(name), name, prefect)


@pytest.fixture
def worker(shop):
    """For the deployments of the shop."""
    with shop.worker() as started:
        yield started


@pytest.fixture(scope="session")
def undisturbed(prefect, tmp_path_factory):
    """What a training measures on the test users when nothing happens to it."""
    calm = Place(tmp_path_factory.mktemp("calm"), "calm", prefect)
    calm.recsys("run")
    return calm.tested()
