"""Prefect's server and PostgreSQL killed and started again, while a run is on and while feedback comes in."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from recsys.feedback.database import URL
from recsys.feedback.store import open_store
from tests import servers

pytestmark = pytest.mark.timeout(600)
EVENTS, BATCH = 20_000, 1_000
FIRST = 1_700_000_000
"""Time of the first; a second lies between two."""
ADD = f"""
import sys
import sqlalchemy
from recsys.cli import main
from recsys.feedback import store

store.BATCH = {BATCH}
commits = 0

def wait(connection):
    global commits
    commits += 1
    if commits == 6:
        sys.stdin.readline()

sqlalchemy.event.listen(sqlalchemy.Engine, "commit", wait)
sys.exit(main())
"""
"""Waits in the midst of the batches, before a commit, until it is told to go on or nobody could tell it."""


def test_the_prefect_server_while_a_run_is_on(prefect, shop, worker, undisturbed):
    run = shop.run("train")
    worker.says(shop.midway)
    prefect.kill()
    worker.says(shop.tuned)
    prefect.start()
    assert prefect.when(run)["state_name"] == "Completed"
    assert shop.tested() == undisturbed


def test_postgresql_under_it_while_a_run_is_on(prefect, postgres, shop, worker, undisturbed):
    run = shop.run("train")
    worker.says(shop.midway)
    postgres.kill()
    worker.says(shop.tuned)
    postgres.start()
    assert prefect.when(run)["state_name"] == "Completed"
    assert shop.tested() == undisturbed


@pytest.fixture
def feedback(monkeypatch, postgresql):
    """PostgreSQL for the feedback store alone, which the environment names."""
    with servers.Postgres() as server:
        monkeypatch.setenv(URL, server.url())
        yield server


@pytest.fixture
def events(tmp_path):
    """A file of events of strangers."""
    lines = [
        {"event_id": f"e{number}", "user_id": 1_000 + number % 500, "item_id": number % 60, "event_type": "view",
         "timestamp": FIRST + number}
        for number in range(EVENTS)
    ]  # fmt: skip
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def add(events, killed=None):
    """Exit code and errors of `recsys feedback add`, during which a server is killed."""
    command = [sys.executable, "-c", ADD, "feedback", "add", str(events)]
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=events.parent, **how) as process:
        first = process.stderr.readline()
        if killed:
            killed.kill()
        _, rest = process.communicate("go on\n", timeout=120)
    return process.returncode, first + rest


def test_postgresql_while_feedback_is_added(feedback, events):
    code, told = add(events, killed=feedback)
    assert code == 2
    assert told.splitlines()[-1].startswith("recsys: the feedback store postgresql://")
    feedback.start()
    code, told = add(events)
    assert code == 0, told
    with open_store(events.parent) as store:
        found = [event.event_id for batch in store.after() for event in batch.events]
    assert sorted(found) == sorted(f"e{number}" for number in range(EVENTS))


def test_postgresql_while_feedback_is_taken_in(prefect, feedback, events, shop, worker):
    assert add(events)[0] == 0
    worker.stop()
    with servers.Worker(shop.folder, "recsys", **shop.environment, **{URL: os.environ[URL]}) as knowing:
        feedback.kill()
        run = shop.run("ingest")
        knowing.says("another try in")
        feedback.start()
        assert prefect.when(run)["state_name"] == "Completed"
    (part,) = (shop.store / "ingested" / "shop").glob("*.parquet")
    assert sorted(pd.read_parquet(part)["timestamp"] - FIRST) == [*range(EVENTS)]
