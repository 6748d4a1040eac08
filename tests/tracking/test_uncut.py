"""What a signal raises waits for the call that goes on, but not for one that hangs."""

import os
import signal
import threading
import time
from contextvars import ContextVar

import pytest

from recsys import tracking
from recsys.tracking import uncut as module
from recsys.tracking.uncut import uncut


class Stop(BaseException):
    """What the signal raises, as Prefect's does; no exception that a call might catch."""


@pytest.fixture
def alarm():
    """Sends a signal whose handler raises."""

    def handler(*_):
        raise Stop

    before = signal.signal(signal.SIGALRM, handler)
    yield lambda: os.kill(os.getpid(), signal.SIGALRM)
    signal.signal(signal.SIGALRM, before)


def test_a_call_ends_before_the_signal_is_heard(alarm):
    ended = []

    def call():
        alarm()
        time.sleep(0.3)
        ended.append(True)

    with pytest.raises(Stop):
        uncut(call)
    assert ended


def test_a_call_that_hangs_is_left_behind(alarm, monkeypatch):
    monkeypatch.setattr(module, "GRACE", 0.2)
    go_on = threading.Event()
    begun = time.monotonic()
    with pytest.raises(Stop):
        uncut(lambda: (alarm(), go_on.wait(60)))
    assert time.monotonic() - begun < 30
    go_on.set()


def test_what_a_call_says_and_sees_is_the_same():
    asked = ContextVar("asked", default="nothing")
    asked.set("here")
    assert uncut(asked.get) == "here"
    with pytest.raises(KeyError, match="gone"):
        uncut(lambda: {}["gone"])
    found = []
    other = threading.Thread(target=lambda: found.append(uncut(threading.current_thread)))
    other.start()
    other.join()
    assert found == [other]


def test_a_store_is_free_whenever_the_signal_came(alarm, tmp_path):
    tracking.open_store(tmp_path / "store")
    parent = tracking.start("signals", "pipeline")
    for delay in (0.001 * step for step in range(1, 31)):
        signal.setitimer(signal.ITIMER_REAL, delay)
        try:
            while True:
                tracking.start("signals", "trial", parent=parent).finish()
        except Stop:  # here, as its traceback keeps alive what was going on
            begun = time.monotonic()
            parent.abandon("KILLED")
            assert time.monotonic() - begun < 10  # a database that is locked is waited for, for 20 s
    asked = tracking.client()
    runs = asked.search_runs([asked.get_experiment_by_name("signals").experiment_id])
    assert "RUNNING" not in {run.info.status for run in runs}
