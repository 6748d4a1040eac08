"""`kill -9` while events are added: what was acknowledged stays, batches are whole, adding again doubles nothing."""

import random
import signal
import subprocess
import sys
import time

import pytest

from recsys.feedback.store import open_store

EVENTS, BATCH = 3_000, 100
COMMAND = f"""
import os, signal, sys
import sqlalchemy
from recsys.cli import main
from recsys.feedback import store

store.BATCH = {BATCH}
commits = 0

def kill(connection):
    global commits
    commits += 1
    if commits == KILL_BEFORE:
        os.kill(os.getpid(), signal.SIGKILL)

sqlalchemy.event.listen(sqlalchemy.Engine, "commit", kill)
sys.exit(main())
"""


@pytest.fixture
def log(tmp_path):
    """3,000 events, and a broken line after every 30."""
    lines = ["event_id,user_id,item_id,event_type,timestamp"]
    for number in range(EVENTS):
        lines.append(f"e{number},u{number % 50},i{number % 70},view,{1_700_000_000 + number}")
        if number % 30 == 29:
            lines.append(f"broken {number}")
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines))
    return path


def start(log, folder, kill_before=0):
    """`recsys feedback add` in a process of its own, which kills itself right before that commit, if there is one."""
    command = [sys.executable, "-c", COMMAND.replace("KILL_BEFORE", str(kill_before)), "feedback", "add", str(log)]
    return subprocess.Popen(
        [*command, "--store", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def acknowledged(text):
    lines = [line for line in text.splitlines() if line.endswith("lines are safe")]
    return int(lines[-1].split()[1].replace(",", "")) if lines else 0


def look(folder):
    """Ids of the events that are there and raw lines in quarantine."""
    with open_store(folder) as opened:
        ids = [event.event_id for batch in opened.after() for event in batch.events]
        return ids, [line["raw"] for line in opened.quarantined()]


def check_whole(log, folder):
    """After the same file was added once more."""
    process = start(log, folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "  … and 95 more\n" in out
    ids, quarantined = look(folder)
    assert ids == [f"e{number}" for number in range(EVENTS)]
    assert sorted(quarantined) == sorted(f"broken {number}" for number in range(29, EVENTS, 30))


def test_killed_between_the_rows_of_a_batch_and_its_commit(log, folder):
    """The first commit is that of the tables, the fourth that of the third batch."""
    process = start(log, folder, kill_before=4)
    _, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    ids, quarantined = look(folder)
    assert acknowledged(err) == len(ids) + len(quarantined) == 2 * BATCH
    check_whole(log, folder)


def test_killed_at_any_time(log, folder):
    moments = random.Random(4)
    for _ in range(2):
        process = start(log, folder)
        told = process.stderr.readline()
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        _, err = process.communicate(timeout=120)
        ids, quarantined = look(folder)
        safe = len(ids) + len(quarantined)
        # One more batch may have been written than could be told.
        assert safe >= acknowledged(told + err) >= BATCH
        assert safe % BATCH == 0
        assert len(set(ids)) == len(ids)
    check_whole(log, folder)
