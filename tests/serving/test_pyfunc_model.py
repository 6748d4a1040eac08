"""The MLflow model as strangers use it: a process without this repository, and a server that speaks JSON."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from recsys import registry, tracking

ASK = """
import json, sys
sys.path[:] = [place for place in sys.path if place]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/recsys-toy@champion")
import recsys
questions = [
    ({"user_id": [1, "stranger"]}, {"k": 2}),
    ({"user_id": ["guest", 1], "history": [[101, 102], None]}, None),
    ({"history": [[113]]}, {"k": 3, "exclude_seen": False}),
]
answers = [model.predict(pd.DataFrame(table), params=params).to_dict("list") for table, params in questions]
heavy = sorted({"optuna", "prefect", "great_expectations", "typer", "matplotlib"} & set(sys.modules))
print(json.dumps({"recsys": recsys.__file__, "answers": answers, "heavy": heavy}))
"""


@pytest.fixture(scope="module")
def champion(toy_bundle, fresh_database, tmp_path_factory):
    """URI of a database with a champion; the bundle it was made from is gone."""
    folder = tmp_path_factory.mktemp("champion")
    shutil.copy(fresh_database, folder)
    tracking.open_store(folder)
    run = tracking.start("toy", "run")
    toy_bundle(folder / "work" / "bundle")
    number = registry.register(folder / "work" / "bundle", "recsys-toy", run.id)
    registry.promote("recsys-toy", number, {}, against=None)
    (folder / "work").rename(folder / "elsewhere")
    return f"sqlite:///{folder}/mlflow.db"


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTHON"))}
    # MLflow starts uvicorn by its name.
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | tracking.QUIET


@pytest.fixture(scope="module")
def told(champion, tmp_path_factory):
    """What a fresh process gets that can import recsys only from the model itself."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, champion],
        cwd=tmp_path_factory.mktemp("empty"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_fresh_process_uses_the_code_that_travels_with_the_model(told):
    assert told["recsys"].endswith("code/recsys/__init__.py")
    assert not told["recsys"].startswith(str(Path(registry.__file__).parents[1]))
    assert told["heavy"] == []


def test_a_fresh_process_answers_a_known_user_and_a_stranger(told):
    answer = told["answers"][0]
    assert list(answer) == ["user_id", "item_id", "score", "rank", "source"]
    assert answer["user_id"] == [1, 1, "stranger", "stranger"]
    assert answer["source"] == ["ease", "ease", "popularity", "popularity"]
    assert answer["rank"] == [1, 2, 1, 2]
    assert set(answer["item_id"][:2]) <= set(range(113, 125))


def test_a_fresh_process_answers_a_history(told):
    answer = told["answers"][1]
    assert answer["user_id"] == ["guest"] * 10 + [1] * 10
    assert set(answer["item_id"][:10]) >= set(range(103, 113))
    assert set(answer["item_id"][10:14]) <= set(range(113, 125))
    assert told["answers"][2]["user_id"] == [None] * 3
    assert set(answer["source"]) == {"ease"}


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    """`mlflow models serve`, for real."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/recsys-toy@champion"]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env=environment() | {"MLFLOW_TRACKING_URI": champion},
            cwd=log.parent,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 90
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def post(server: str, payload: object) -> list[dict]:
    request = urllib.request.Request(
        server, json.dumps(payload).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


def test_the_server_answers_users_strangers_and_histories(server):
    rows = post(
        server,
        {
            "dataframe_records": [{"user_id": 1}, {"user_id": "guest", "history": [101, 102]}, {"user_id": "x"}],
            "params": {"k": 2},
        },
    )
    assert [(row["user_id"], row["rank"], row["source"]) for row in rows] == [
        (1, 1, "ease"),
        (1, 2, "ease"),
        ("guest", 1, "ease"),
        ("guest", 2, "ease"),
        ("x", 1, "popularity"),
        ("x", 2, "popularity"),
    ]
    assert {rows[2]["item_id"], rows[3]["item_id"]} <= set(range(103, 113))
    assert list(rows[0]) == ["user_id", "item_id", "score", "rank", "source"]


def test_the_server_takes_the_other_forms_of_mlflow(server):
    by_records = post(server, {"dataframe_records": [{"user_id": 1}, {"user_id": 2}], "params": {"k": 3}})
    assert post(server, {"inputs": {"user_id": [1, 2]}, "params": {"k": 3}}) == by_records
    split = {"columns": ["user_id"], "data": [[1], [2]]}
    assert post(server, {"dataframe_split": split, "params": {"k": 3}}) == by_records


def test_the_server_says_what_is_wrong(server):
    for payload, reason in (
        ({"dataframe_records": [{"user_id": 1}], "params": {"k": 0}}, "k must be a whole number of at least 1; seen 0"),
        ({"dataframe_records": [{"who": 1}]}, "the input needs a column user_id or history"),
    ):
        with pytest.raises(urllib.error.HTTPError) as error:
            post(server, payload)
        assert error.value.code == 400
        assert reason in error.value.read().decode()
