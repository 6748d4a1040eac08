"""A worker killed in mid-training: what becomes of the run, and that another one ends as if nobody had been killed."""

from contextlib import contextmanager

import psutil
import pytest

from flows import deployments

pytestmark = pytest.mark.timeout(600)


@contextmanager
def impatient(prefect, seconds):
    """The automation that `recsys deploy` has registered, with less patience than its three minutes."""
    (rule,) = prefect.ask("/automations/filter", {"automations": {"name": {"any_": [deployments.RULE]}}})
    assert rule["trigger"]["within"] == deployments.SILENCE.total_seconds()
    kept = {key: rule[key] for key in ("name", "description", "enabled", "trigger", "actions")}
    prefect.ask(f"/automations/{rule['id']}", kept | {"trigger": rule["trigger"] | {"within": seconds}}, "PUT")
    try:
        yield
    finally:
        prefect.ask(f"/automations/{rule['id']}", kept, "PUT")


def test_killed_with_its_run_the_silence_tells(prefect, shop, worker, undisturbed):
    """As after a power cut."""
    with impatient(prefect, 45):
        run = shop.run("train")
        worker.says(shop.midway)
        worker.kill()
        assert prefect.ask(f"/flow_runs/{run}", method="GET")["state_name"] == "Running"
        worker.start()
        gone = prefect.when(run)
    assert (gone["state_name"], gone["state"]["message"]) == ("Crashed", deployments.VANISHED)
    assert shop.tested() is None
    assert prefect.when(shop.run("train"))["state_name"] == "Completed"
    assert "trials are done already" in worker.log.read_text()
    assert shop.tested() == undisturbed


def test_a_run_that_is_taken_for_dead_corrects_its_state_when_it_ends(prefect, shop, worker, undisturbed):
    """As when the network was away for longer than the server's patience."""
    with impatient(prefect, 10):  # the least that Prefect takes
        run = shop.run("train")
        worker.says(shop.midway)
        cut_off = worker.tree() - {psutil.Process(worker.process.pid)}
        for process in cut_off:
            process.suspend()
        assert prefect.when(run)["state"]["message"] == deployments.VANISHED
        for process in cut_off:
            process.resume()
    assert prefect.when(run, ["COMPLETED"])["state_name"] == "Completed"
    assert shop.tested() == undisturbed


def test_killed_alone_its_run_ends_at_its_next_line(prefect, shop, worker, undisturbed):
    run = shop.run("train")
    worker.says(shop.midway)
    worker.kill(alone=True)
    assert prefect.when(run)["state_name"] == "Crashed"
    worker.start()
    assert prefect.when(shop.run("train"))["state_name"] == "Completed"
    assert shop.tested() == undisturbed


def test_a_run_killed_alone_is_told_by_its_worker(prefect, shop, worker):
    """As when the machine has too little memory."""
    run = shop.run("train")
    worker.says(shop.midway)
    for process in worker.tree():
        if process.pid != worker.process.pid:
            process.kill()
    gone = prefect.when(run)
    assert gone["state_name"] == "Crashed"
    assert "SIGKILL" in gone["state"]["message"]
