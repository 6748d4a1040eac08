"""A run that is cancelled from Prefect leaves nothing half-written and nothing running in MLflow; a rerun goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from recsys import tracking
from tests import servers
from tests.flows.test_outage import CONFIG, PROGRAM

LONG = CONFIG.replace("trials = 3", "trials = 10000")


@pytest.fixture(scope="module")
def served(tmp_path_factory, prefect_server):
    """A folder whose flows are served beside a server; asked by `ask(path, content)`."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "tiny.toml").write_text(LONG)
    environment = servers.inherited() | {"PREFECT_API_URL": prefect_server.url, "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    log = folder / "log"  # a pipe that nobody reads would fill up
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve-flows", "tiny.toml"],
            cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def ask(path, content=None, method="POST"):
        body = None if method == "GET" else json.dumps(content or {}).encode()
        request = urllib.request.Request(
            prefect_server.url + path, body, {"Content-Type": "application/json"}, method=method
        )

        def answer():
            try:
                with urllib.request.urlopen(request, timeout=60) as said:
                    return json.loads(said.read())
            except urllib.error.HTTPError as error:
                if error.code != 503:  # SQLite is busy
                    raise

        return servers.wait(answer, lambda: path)

    ask.folder, ask.environment = folder, environment
    try:
        servers.wait(lambda: "/deployments" in log.read_text() or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()
        yield ask
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def cancelled(served):
    """A training, cancelled when it has searched for a while, and what it searched for: the quickest goes first."""
    deployment = served("/deployments/name/train/tiny", method="GET")["id"]
    run = served(f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
    logs = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_DESC", "limit": 20}
    found = servers.wait(
        lambda: re.search(r"(\w+): trial \d{2,} of", json.dumps(served("/logs/filter", logs))),
        lambda: served("/logs/filter", logs),
    )
    served(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def ended():
        now = served(f"/flow_runs/{run}", method="GET")
        return now if now["state_type"] not in ("RUNNING", "CANCELLING") else None

    return servers.wait(ended, lambda: served(f"/flow_runs/{run}", method="GET")), found[1]


def test_it_is_cancelled_under_a_name_that_says_what_it_was(cancelled):
    run, _ = cancelled
    assert run["state_type"] == "CANCELLED"
    assert re.fullmatch("train tiny [0-9a-f]{6}", run["name"])


def test_mlflow_says_so_and_leads_back(cancelled, served):
    cancelled_run, _ = cancelled
    tracking.open_store(served.folder / "mlruns")
    experiment = tracking.client().get_experiment_by_name("tiny")

    def found(what):
        return tracking.client().search_runs([experiment.experiment_id], what, max_results=1000)

    runs = found("tags.role != 'trial'")
    assert {run.info.status for run in runs} == {"KILLED"}
    # One may have been about to be written down.
    trials = {run.info.status for run in found("tags.role = 'trial'")}
    assert {"FINISHED"} <= trials <= {"FINISHED", "KILLED"}
    (pipeline,) = (run for run in runs if run.data.tags["role"] == "pipeline")
    assert pipeline.data.tags["prefect.flow_run"] == cancelled_run["id"]
    assert pipeline.data.tags["prefect.flow_run.name"] == cancelled_run["name"]
    assert pipeline.data.tags["prefect.flow_run.url"].endswith(f"/runs/flow-run/{cancelled_run['id']}")


def test_nothing_is_half_written_and_a_rerun_goes_on(cancelled, served):
    _, candidate = cancelled
    assert not [path for path in (served.folder / "mlruns").rglob("*") if path.name.endswith(".draft")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", "tiny.toml", "--set", "tuning.trials=3"],
        cwd=served.folder, env=served.environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{candidate}: 3 of 3 trials are done already" in done.stderr
