"""`recsys run` against an MLflow server that goes away in mid-training, and one that never comes back."""

import re
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from recsys import tracking
from recsys.tracking.patience import PATIENCE
from tests import servers, tiny

CONFIG = tiny.config("tiny", trials=3)
PROGRAM = "import sys; from flows.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    """An MLflow server that can be killed and started again."""
    with servers.Mlflow(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@pytest.fixture(scope="module")
def recsys(tmp_path_factory, prefect_server, mlflow):
    """Starts `recsys run` in a folder with `tiny.toml`, beside both servers."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "tiny.toml").write_text(CONFIG)

    @contextmanager
    def start(*words, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "run", "tiny.toml", *words],
            cwd=folder,
            env=servers.inherited() | {"PREFECT_API_URL": prefect_server.url, tracking.URI: mlflow.url} | environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    start.folder = folder
    return start


def told_until(process, text):
    """What a process says on stderr, up to this."""
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return "".join(said)
    raise AssertionError("".join(said))


def test_nothing_is_lost_in_an_outage(recsys, mlflow, monkeypatch):
    with recsys() as process:
        told_until(process, "ease: trial 1 of 3")
        mlflow.kill()
        waiting = told_until(process, "does not answer")
        assert re.search(
            rf"MLflow at {mlflow.url} does not answer \([\w ]+\): waiting for it, 0 s of at most 600", waiting
        )
        time.sleep(30)
        assert process.poll() is None
        mlflow.start()
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert re.search(r"MLflow answers again, after ([3-9]\d|[1-9]\d\d) s: going on", err)
    assert "Traceback" not in waiting + err
    assert "Promoted: version 1 is the champion" in out
    monkeypatch.setenv(tracking.URI, mlflow.url)
    tracking.open_store(recsys.folder / "mlruns")
    asked = tracking.client()
    runs = asked.search_runs([asked.get_experiment_by_name("tiny").experiment_id], max_results=1000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    trials = sorted(run.info.run_name for run in runs if run.data.tags["role"] == "trial")
    assert trials == [f"{name} trial {number}" for name in ("ease", "popularity") for number in range(3)]
    (pipeline,) = (run for run in runs if run.data.tags["role"] == "pipeline")
    assert {one.path for one in asked.list_artifacts(pipeline.info.run_id, "report")} >= {"report/scorecard.json"}


def test_one_that_stays_away_is_told_in_one_message_and_a_rerun_goes_on(recsys, mlflow):
    more = ("--set", "tuning.trials=5")
    with recsys(*more, **{PATIENCE: "2"}) as process:
        told_until(process, "ease: trial 4 of 5")
        mlflow.kill()
        _, err = process.communicate(timeout=240)
    assert process.returncode == 2
    last = err.strip().splitlines()[-1]
    assert re.fullmatch(
        rf"recsys: MLflow at {mlflow.url} has not answered for \d+ s \([\w ]+\); what was done until now is kept: "
        "start its server, then do the same again, and it goes on",
        last,
    )
    assert "Traceback" not in err
    mlflow.start()
    with recsys(*more) as process:
        _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert re.search(r"ease: [45] of 5 trials are done already", err)
