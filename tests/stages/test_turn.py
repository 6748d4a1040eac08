"""One training of a name at a time, in processes of their own; `kill -9` gives the turn away."""

import subprocess
import sys

import pytest

from recsys.config import parse
from recsys.stages.turn import turn

PROGRAM = """
import logging, sys, time
from recsys.config import parse
from recsys.stages.turn import turn

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
with turn(parse({"name": sys.argv[2], "store": sys.argv[1], "data": {"path": "events.csv"}})):
    print("mine", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def start(tmp_path):
    """Starts processes that take a turn and hold it so many seconds; none is left behind."""
    started = []

    def begin(name, seconds):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store"), name, str(seconds)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_another_waits_says_so_and_has_its_turn_after_kill_9(start):
    first = start("shop", 600)
    assert first.stdout.readline() == "mine\n"
    second = start("shop", 0)
    assert second.stdout.readline() == "shop: another training is running; this one waits for it to end\n"
    assert second.poll() is None
    first.kill()
    assert second.communicate(timeout=60)[0] == "mine\n"
    assert second.returncode == 0


def test_other_names_do_not_wait(start):
    assert start("shop", 600).stdout.readline() == "mine\n"
    assert start("other", 0).communicate(timeout=60)[0] == "mine\n"


def test_a_failed_training_gives_it_back(tmp_path):
    config = parse({"name": "shop", "store": str(tmp_path / "store"), "data": {"path": "events.csv"}})
    with pytest.raises(RuntimeError, match="no"), turn(config):
        raise RuntimeError("no")
    with turn(config):
        pass
