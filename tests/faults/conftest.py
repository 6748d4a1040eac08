"""Servers to break, one of each for all faults, and a folder in which runs are started on them."""

import json
import os
import subprocess
import sys
from itertools import count

import pytest

from tests import servers

CONFIG = """
name = "shop"
[data]
source = "synthetic?users=150&items=60&events=3000&communities=4"
[split]
method = "leave_last"
[models]
candidates = ["popularity", "als", "ease"]
device = "cpu"
[models.params]
als = { factors = 8, epochs = 2 }
[tuning]
trials = 15
[hybrid]
methods = ["weighted"]
folds = 2
[retrain]
min_events = 1
"""
RECSYS = [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())"]


class Place:
    """A folder with `shop.toml`: deployed once, for runs in a store of their own."""

    midway, tuned = "als: trial 5 of 15", "als: trial 15 of 15"

    def __init__(self, folder, prefect):
        self.folder, self._prefect = folder, prefect
        self.environment = {"PREFECT_API_URL": prefect.url, "OMP_NUM_THREADS": "1"}
        self._stores = count(1)
        (folder / "shop.toml").write_text(CONFIG)

    def renew(self):
        """A store in which nothing has happened yet."""
        self.store = self.folder / f"store-{next(self._stores)}"
        return self

    def recsys(self, command, *options):
        """`recsys COMMAND shop.toml`."""
        how = {"cwd": self.folder, "env": servers.inherited() | self.environment}
        words = [*RECSYS, command, "shop.toml", *options]
        done = subprocess.run(words, **how, capture_output=True, text=True, check=False, timeout=servers.PATIENCE)
        assert done.returncode == 0, done.stderr

    def run(self, flow):
        """The id of a run that is due now."""
        return self._prefect.run(f"{flow}/shop", overrides=[self._here])

    def train(self):
        """In a terminal, from the beginning to the end."""
        self.recsys("run", "--set", self._here)

    @property
    def _here(self):
        return f'store="{self.store}"'

    def tested(self):
        """What the last training measured on the test users; none where none has ended."""
        card = self.store / "shop" / "scorecard.json"
        if not card.is_file():
            return None
        return {model: facts["test"] for model, facts in json.loads(card.read_text())["models"].items()}


@pytest.fixture(scope="session")
def postgres(postgresql):
    """PostgreSQL, which every test that stops it starts again."""
    with servers.Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def prefect(postgres, tmp_path_factory):
    """A Prefect server on PostgreSQL, which every test that stops it starts again."""
    with servers.Prefect(tmp_path_factory.mktemp("prefect"), postgres.url()) as server:
        yield server


@pytest.fixture(scope="session")
def place(prefect, tmp_path_factory):
    """Deployed."""
    made = Place(tmp_path_factory.mktemp("shop"), prefect)
    made.recsys("deploy")
    return made


@pytest.fixture(scope="session")
def undisturbed(place):
    """What a training measures on the test users when nothing happens to it."""
    place.renew().train()
    return place.tested()


@pytest.fixture
def shop(place, undisturbed):
    """The place, with a store in which nothing has happened yet."""
    return place.renew()


@pytest.fixture(scope="session")
def hired(place):
    with servers.Worker(place.folder, "recsys", **place.environment) as started:
        yield started


@pytest.fixture
def worker(hired):
    """One that a test before may have stopped; its log begins with this test."""
    if hired.process.poll() is None:
        os.truncate(hired.log, 0)
        return hired
    return hired.start()
