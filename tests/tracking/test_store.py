"""Tracking on a real store: fresh databases, explicit runs from threads, a run that survives kill -9."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

from recsys import tracking
from recsys.errors import InputError

OPEN = """
import sys
from recsys import tracking
tracking.open_store(sys.argv[1])
run = tracking.start("demo", "run")
run.finish()
print(run.id)
"""

UNTIL_KILLED = """
import sys, time
from recsys import tracking
tracking.open_store(sys.argv[1])
run = tracking.start("demo", "pipeline", resume_key="digest-1")
run.log(params={"trials": 3})
print(run.id, flush=True)
time.sleep(600)
"""


def in_process(code: str, *args: object, **more: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_two_processes_may_open_a_fresh_store_at_once(tmp_path):
    both = [in_process(OPEN, tmp_path / "new") for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    tracking.open_store(tmp_path / "new")
    found = {run.info.run_id for run in tracking.client().search_runs(["1"])}
    assert found == {answer[0].strip() for answer in answers}


def test_a_killed_run_is_continued_by_its_resume_key(store):
    process = in_process(UNTIL_KILLED, store)
    killed = process.stdout.readline().strip()
    process.send_signal(signal.SIGKILL)
    process.communicate()

    run = tracking.start("demo", "pipeline", resume_key="digest-1")
    assert run.id == killed
    run.log(params={"trials": 3}, metrics={"ndcg@10": 0.25})
    assert tracking.start("demo", "pipeline", resume_key="digest-2").id != killed

    run.finish()
    seen = tracking.client().get_run(killed)
    assert seen.info.status == "FINISHED"
    assert seen.data.params == {"trials": "3"}
    assert seen.data.metrics == {"ndcg_at_10": 0.25}
    assert tracking.start("demo", "pipeline", resume_key="digest-1").id != killed, "a finished run is left alone"


def test_a_failed_run_goes_on_as_running(store):
    run = tracking.start("demo", "pipeline", resume_key="digest-1")
    run.finish("FAILED")
    again = tracking.start("demo", "pipeline", tags={"attempt": 2}, resume_key="digest-1")
    assert again.id == run.id
    seen = tracking.client().get_run(run.id)
    assert (seen.info.status, seen.data.tags["attempt"]) == ("RUNNING", "2")


def test_what_a_killed_process_of_this_store_left_running_is_ended(store, new_store):
    role = {"role": "pipeline"}
    left, of_others, mine = (tracking.start("demo", "pipeline", tags) for tags in (role, {"role": "monitor"}, role))
    tracking.end_left("demo", mine, role)
    status = [tracking.client().get_run(run.id).info.status for run in (left, of_others, mine)]
    assert status == ["KILLED", "RUNNING", "RUNNING"]


def test_an_experiment_is_introduced_once_and_a_person_s_words_stay(store):
    columns = {"metrics.`test/ndcg_at_10`": 110, "tags.`verdict`": 280}
    charts = {"Better": ["test/ndcg_at_10"], "Why": ["weight/als", "weight/ease"]}
    how = {"title": "Which", "columns": columns, "charts": charts, "wanted": "tags.role = 'pipeline'"}
    assert tracking.introduce("demo", "See {link}.", **how) is None, "no server shows it"
    told = tracking.client().get_experiment_by_name("demo")
    page = f"#/experiments/{told.experiment_id}/runs?viewStateShareKey=recsys"
    assert told.tags["mlflow.note.content"] == f"See [Which]({page})."
    view = json.loads(told.tags["mlflow.sharedViewState.recsys"])
    state = json.loads(zlib.decompress(base64.b64decode(view["state"].removeprefix("deflate;"))))
    assert view["name"] == "Which"
    assert state["orderByKey"] == "metrics.`test/ndcg_at_10`"
    assert state["selectedColumns"] == state["columnOrder"] == list(columns)
    assert state["columnWidths"] == columns
    sections = {one["uuid"]: one["name"] for one in state["compareRunSections"]}
    drawn = [(sections[one["metricSectionId"]], one["metricKey"]) for one in state["compareRunCharts"]]
    assert drawn == [(section, metric) for section, metrics in charts.items() for metric in metrics]
    tracking.client().set_experiment_tag(told.experiment_id, "mlflow.note.content", "mine")
    tracking.introduce("demo", "See {link}.", **how)
    assert tracking.client().get_experiment_by_name("demo").tags["mlflow.note.content"] == "mine"


def test_the_load_of_the_machine_is_logged_while_a_run_goes_on(store):
    run = tracking.start("demo", "pipeline")
    with tracking.watched(run):
        pass
    found = tracking.client().get_run(run.id).data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(found)
    assert found["system/system_memory_usage_megabytes"] > 0


def test_everything_a_run_keeps(store, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.txt").write_text("a")
    (tmp_path / "report.md").write_text("# report")
    parent = tracking.start("demo", "pipeline")
    run = tracking.start("demo", "als-0", {"model": "als", "trial": 0}, parent=parent)
    run.log(metrics={"ndcg@10": 0.2}, history={"loss": [(2, 3.0), (4, 2.0), (6, 1.5)]}, tags={"pruned": False})
    run.artifact(tmp_path / "report.md")
    run.artifact(tmp_path / "figures", "figures")
    run.dict({"a": 1}, "scorecard.json")
    run.dataset("toy", "0123456789abcdef", tmp_path)
    run.finish()

    client = tracking.client()
    seen = client.get_run(run.id)
    assert seen.data.metrics == {"ndcg_at_10": 0.2, "loss": 1.5}
    assert [(one.step, one.value) for one in client.get_metric_history(run.id, "loss")] == [
        (2, 3.0),
        (4, 2.0),
        (6, 1.5),
    ]
    expected = {"model": "als", "trial": "0", "pruned": "False", "mlflow.parentRunId": parent.id}
    assert expected.items() <= seen.data.tags.items()
    assert sorted(one.path for one in client.list_artifacts(run.id)) == ["figures", "report.md", "scorecard.json"]
    assert Path(store, "artifacts", run.id, "artifacts", "figures", "a.txt").read_text() == "a"
    (used,) = seen.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest, used.tags[0].value) == ("toy", "0123456789abcdef", "training")


def test_more_than_one_batch_of_everything(store):
    run = tracking.start("demo", "big")
    run.log(
        params={f"p{number}": number for number in range(230)},
        history={"loss": [(number, float(number)) for number in range(1700)]},
        tags={f"t{number}": number for number in range(120)},
    )
    seen = tracking.client().get_run(run.id)
    assert len(seen.data.params) == 230
    assert seen.data.params["p229"] == "229"
    assert seen.data.tags["t119"] == "119"
    assert len(tracking.client().get_metric_history(run.id, "loss")) == 1700


def test_runs_are_logged_from_threads_and_no_stray_run_appears(store):
    parent = tracking.start("demo", "pipeline")

    def trial(number: int) -> None:
        run = tracking.start("demo", f"trial-{number}", parent=parent)
        run.log(metrics={"value": number})
        run.finish()

    threads = [threading.Thread(target=trial, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = tracking.client()
    where = [client.get_experiment_by_name("demo").experiment_id]
    children = client.search_runs(where, f"tags.mlflow.parentRunId = '{parent.id}'")
    assert sorted(run.data.metrics["value"] for run in children) == [0, 1, 2, 3, 4, 5]
    assert {run.info.status for run in children} == {"FINISHED"}
    assert len(client.search_runs(where)) == 7


def test_time_inside_mlflow_is_counted_once_for_blocks_in_blocks():
    before, begun = tracking.seconds_spent(), time.perf_counter()
    with tracking.counted():
        time.sleep(0.05)
        with tracking.counted():
            time.sleep(0.05)
    assert 0.1 <= tracking.seconds_spent() - before <= time.perf_counter() - begun


def test_time_inside_mlflow_is_that_of_the_calling_thread(store):
    """What another thread waits for takes nothing from the work of this one."""
    before = tracking.seconds_spent()
    elsewhere = []

    def wait() -> None:
        with tracking.counted():
            time.sleep(0.1)
        elsewhere.append(tracking.seconds_spent())

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracking.seconds_spent() == before
    assert min(elsewhere) >= 0.1
    begun = time.perf_counter()
    tracking.start("demo", "one").finish()
    assert 0 < tracking.seconds_spent() - before <= time.perf_counter() - begun


def test_a_second_store_in_one_process_is_a_second_store(store, new_store):
    another_store = new_store("another")
    tracking.open_store(store)
    tracking.start("demo", "one")
    tracking.open_store(another_store)
    assert tracking.client().get_experiment_by_name("demo") is None
    tracking.open_store(store)
    assert tracking.client().get_experiment_by_name("demo") is not None


def test_the_uri_of_the_environment_wins(new_store, tmp_path, monkeypatch):
    another_store = new_store("another")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{another_store}/mlflow.db")
    tracking.open_store(tmp_path)
    tracking.start("elsewhere", "run").finish()
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    tracking.open_store(another_store)
    assert tracking.client().get_experiment_by_name("elsewhere") is not None


def test_a_deleted_experiment_says_how_to_get_it_back(store):
    tracking.start("demo", "run")
    experiment = tracking.client().get_experiment_by_name("demo").experiment_id
    tracking.client().delete_experiment(experiment)
    with pytest.raises(InputError, match=f"mlflow experiments restore --experiment-id {experiment}"):
        tracking.start("demo", "run")


def test_a_store_that_cannot_be_made_or_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"the store .*file/store cannot be written: .*choose another folder"):
        tracking.open_store(tmp_path / "file" / "store")
    (tmp_path / "mlflow.db").write_text("this is no database, and it is longer than a header of one would be")
    with pytest.raises(InputError, match=r"MLflow cannot open sqlite:.*mlflow.db"):
        tracking.open_store(tmp_path)


def test_a_lock_that_somebody_else_owns(store):
    (store / ".mlflow.lock").unlink()
    (store / ".mlflow.lock").mkdir()  # as closed to everybody as a file of another user is to all but root
    with pytest.raises(InputError, match=r"the store .* cannot be written: .*choose another folder"):
        tracking.open_store(store, create=False)
