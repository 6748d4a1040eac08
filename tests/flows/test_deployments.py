"""The deployments of prefect.yaml on a real server, as docs/operations.md shows them: registered, run, ended."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from flows import deployments
from recsys.feedback.database import URL
from tasks.settings import QUIET, RELIABLE
from tests import servers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
(TOLD,) = re.findall(r"^```console\n((?:\$ prefect .*\n)+)```$", PAGE, re.MULTILINE)
LOOP = (ROOT / "docs" / "loop.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`((?:shop|log|events)\.\w+)`:\n\n```\w+\n(.*?)^```$", LOOP, re.MULTILINE | re.DOTALL))
RECSYS = [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())"]
NAMES = ("train", "ingest", "retrain", "batch_recommend", "monitor", "backtest")
GOODBYE = "shop is no longer served; its schedules rest until it is\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory, prefect_server):
    """A folder with the shop of docs/loop.md, and commands typed in it beside a server."""
    folder = tmp_path_factory.mktemp("shop")
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", URL))}
    theirs = {"PREFECT_API_URL": prefect_server.url, "PREFECT_RUNNER_POLL_FREQUENCY": "1", "COLUMNS": "200"}

    def run(command, **environment):
        return subprocess.run(
            command,
            cwd=folder,
            env=inherited | theirs | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def serve(output):
        return subprocess.Popen(
            [*RECSYS, "serve-flows", "shop.toml"],
            cwd=folder,
            env=inherited | theirs,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    return SimpleNamespace(folder=folder, run=run, serve=serve, server=prefect_server)


def as_shown(shop, text):
    return text.replace(shop.server.url.removesuffix("/api"), "http://127.0.0.1:4200")


@pytest.fixture(scope="module")
def deployed(shop):
    """For workers, with the schedule of ingest switched on by the page's own command."""
    done = shop.run([*RECSYS, "deploy", "shop.toml"])
    assert (done.returncode, as_shown(shop, done.stdout)) == (0, SHOWN["deploy shop.toml"]), done.stderr
    schedule = shop.server.deployment("ingest/shop")["schedules"][0]["id"]
    resume, *_ = TOLD.replace("SCHEDULE", schedule).replace("$ ", "").splitlines()
    switched = shop.run([sys.executable, "-m", *resume.split()])
    assert switched.returncode == 0, switched.stderr


@contextmanager
def serving(shop):
    """A process that serves, once it has said so; none is left behind."""
    log = shop.folder / f"served-{time.monotonic_ns()}.log"  # a pipe that nobody reads would fill up
    with log.open("w") as output:
        process = shop.serve(output)
    try:
        servers.wait(lambda: log.read_text().endswith("/deployments\n") or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()
        yield SimpleNamespace(process=process, at_first=log.read_text(), said=log.read_text)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def served(shop, deployed):
    """What was deployed to workers before."""
    with serving(shop) as process:
        yield process


@contextmanager
def at_rest(shop, name):
    """No run of the schedule meanwhile: one is due every quarter of an hour, and would take the place of the test's."""
    deployment = shop.server.deployment(name)
    (schedule,) = deployment["schedules"]
    where = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"

    def runs(*states):
        asked = {"deployment_id": {"any_": [deployment["id"]]}, "state": {"type": {"any_": states}}}
        return shop.server.ask("/flow_runs/filter", {"flow_runs": asked})

    shop.server.ask(where, {"active": False}, "PATCH")
    try:
        for planned in runs("SCHEDULED"):
            shop.server.ask(f"/flow_runs/{planned['id']}", method="DELETE")
        servers.wait(lambda: not runs("PENDING", "RUNNING"), lambda: runs("PENDING", "RUNNING"))
        yield
    finally:
        shop.server.ask(where, {"active": True}, "PATCH")


class TestDeployed:
    def test_the_six_are_there_with_what_the_file_says(self, shop, deployed):
        declared = {
            one["entrypoint"].split(".")[-1]: one
            for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        }
        assert tuple(declared) == NAMES
        for flow, entry in declared.items():
            found = shop.server.deployment(f"{flow}/shop")
            assert found["tags"] == entry["tags"]
            assert found["description"] == entry["description"].replace("{{ $PWD }}", str(shop.folder))
            assert found["parameters"] == {"config": "shop.toml"}
            assert found["global_concurrency_limit"]["limit"] == 1
            assert (
                found["concurrency_options"]["collision_strategy"] == entry["concurrency_limit"]["collision_strategy"]
            )
            assert found["work_pool_name"] == "recsys"
            assert found["enforce_parameter_schema"]
            assert found["parameter_openapi_schema"]["required"] == ["config"]
            planned = [(one["cron"], one["timezone"]) for one in entry.get("schedules", [])]
            assert [(one["schedule"]["cron"], one["schedule"]["timezone"]) for one in found["schedules"]] == planned

    def test_schedules_are_off_until_switched_on(self, shop, deployed):
        active = {
            flow: [one["active"] for one in shop.server.deployment(f"{flow}/shop")["schedules"]] for flow in NAMES
        }
        assert active == {
            "train": [],
            "ingest": [True],
            "retrain": [False],
            "batch_recommend": [False],
            "monitor": [False],
            "backtest": [],
        }

    def test_runs_get_our_settings_and_no_secrets(self, shop, deployed):
        variables = shop.server.deployment("train/shop")["job_variables"]
        assert variables["working_dir"] == str(shop.folder)
        assert variables["env"].items() <= (QUIET | RELIABLE).items()
        assert {"DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "PREFECT_LOGGING_EXTRA_LOGGERS"} <= set(variables["env"])

    def test_one_rule_watches_all_runs_and_stays_as_it_was_switched(self, shop, deployed):
        asked = {"automations": {"name": {"any_": [deployments.RULE]}}}
        (rule,) = shop.server.ask("/automations/filter", asked)
        assert rule["enabled"]
        assert all(deployments.TAG in shop.server.deployment(f"{flow}/shop")["tags"] for flow in NAMES)
        shop.server.ask(f"/automations/{rule['id']}", {"enabled": False}, "PATCH")
        assert shop.run([*RECSYS, "deploy", "shop.toml"]).returncode == 0
        (again,) = shop.server.ask("/automations/filter", asked)
        assert (again["id"], again["enabled"]) == (rule["id"], False)
        shop.server.ask(f"/automations/{rule['id']}", {"enabled": True}, "PATCH")

    def test_a_worker_runs_what_is_due(self, shop, deployed):
        _, run, work = TOLD.replace("$ ", "").splitlines()
        with at_rest(shop, "ingest/shop"):
            started = shop.run([sys.executable, "-m", *run.split()])
            assert started.returncode == 0, started.stderr
            (run_id,) = re.findall(r"UUID: ([0-9a-f-]{36})", started.stdout)
            worked = shop.run([sys.executable, "-m", *work.split()])
        assert worked.returncode == 0, worked.stderr
        assert shop.server.when(run_id)["state_name"] == "Completed", worked.stdout + worked.stderr


class TestServed:
    def test_it_says_where_to_look(self, shop, served):
        shown = SHOWN["serve-flows shop.toml"].splitlines()
        said = as_shown(shop, served.at_first).splitlines()
        assert said[-len(shown) :] == [
            line.replace("UTC, off", "UTC, on") if "ingest/" in line else line for line in shown
        ]

    def test_it_took_over_from_the_workers_and_left_the_schedules_as_they_were(self, shop, served):
        assert {shop.server.deployment(f"{flow}/shop")["work_pool_name"] for flow in NAMES} == {None}
        assert [one["active"] for one in shop.server.deployment("ingest/shop")["schedules"]] == [True]

    def test_a_schedule_fires_by_itself(self, shop, served):
        deployment = shop.server.deployment("monitor/shop")["id"]
        often = {"active": True, "schedule": {"interval": 15}}  # seconds
        (schedule,) = shop.server.ask(f"/deployments/{deployment}/schedules", [often])
        due = {"flow_runs": {"deployment_id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 1}
        runs = servers.wait(lambda: shop.server.ask("/flow_runs/filter", due), lambda: "the server plans no run")
        assert runs[0]["auto_scheduled"]
        assert shop.server.when(runs[0]["id"])["state_name"] == "Completed"
        shop.server.ask(f"/deployments/{deployment}/schedules/{schedule['id']}", method="DELETE")

    @pytest.mark.parametrize(
        ("flow", "parameters", "reason"),
        [
            ("monitor", {"days": 0}, "0 is less than the minimum of 0.01"),
            ("batch_recommend", {"k": 5000}, "5000 is greater than the maximum of 1000"),
            ("train", {"overrides": ["tuning.trials"]}, "'tuning.trials' does not match"),
            ("ingest", {"config": ""}, "non-empty"),
        ],
    )
    def test_the_form_refuses_what_is_wrong(self, shop, served, flow, parameters, reason):
        with pytest.raises(urllib.error.HTTPError) as refused:
            shop.server.run(f"{flow}/shop", **parameters)
        assert refused.value.code == 409
        assert reason in json.load(refused.value)["detail"]

    def test_a_run_does_what_the_command_does(self, shop, served):
        with at_rest(shop, "ingest/shop"):
            assert shop.run([*RECSYS, "feedback", "add", "events.csv"]).returncode == 0
            run = shop.server.run("ingest/shop")
            assert shop.server.when(run)["state_name"] == "Completed"
        assert [path.name for path in (shop.folder / "mlruns/ingested/shop").glob("*.parquet")] == [
            "up-to-000000000004.parquet"
        ]
        assert "ingest: 4 events are in, up to number 4" in shop.server.messages(run, "up to number 4")

    def test_wrong_input_is_the_first_and_only_thing_told(self, shop, served):
        run = shop.server.run("monitor/shop", config="nowhere.toml")
        ended = shop.server.when(run)
        cause = "no configuration file at nowhere.toml; configs/own-data.toml is one to start from"
        assert (ended["state_type"], ended["state"]["message"]) == ("FAILED", cause)
        said = shop.server.messages(run, "Finished in state")
        assert said[-1] == f"Finished in state Failed('{cause}')"
        assert "Traceback" not in "\n".join(said)

    def test_sigint_cancels_what_runs_and_leaves_the_schedules_at_rest(self, shop, served):
        """The last test of this process. A second retraining meanwhile is cancelled at once."""
        overrides = [
            'data.source="synthetic?users=150&items=60&events=3000&communities=4"',
            'models.candidates=["popularity","ease"]',
            "tuning.trials=10000",
        ]
        (shop.folder / "long.toml").write_text('name = "long"\n[data]\nsource = "synthetic?users=150&items=60"\n')
        run = shop.server.run("retrain/shop", config="long.toml", overrides=overrides)
        shop.server.when(run, {"RUNNING"})
        second = shop.server.when(shop.server.run("retrain/shop"))
        assert (second["state_type"], second["state"]["message"]) == (
            "CANCELLED",
            "Deployment concurrency limit reached.",
        )
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(timeout=120) == 0
        assert served.said().endswith(GOODBYE)
        assert shop.server.when(run)["state_type"] == "CANCELLED"
        found = shop.server.deployment("ingest/shop")
        assert (found["paused"], found["schedules"][0]["active"]) == (True, True)
        assert not shop_processes(shop), "a run outlived the process that served it"

    def test_served_again_schedules_go_on_and_sigterm_is_heard_as_well(self, shop, served):
        with serving(shop) as again:
            found = shop.server.deployment("ingest/shop")
            assert (found["paused"], found["schedules"][0]["active"]) == (False, True)
            again.process.send_signal(signal.SIGTERM)
            assert again.process.wait(timeout=60) == 0
        assert again.said().endswith(GOODBYE)
        assert shop.server.deployment("ingest/shop")["paused"]


def shop_processes(shop):
    """Command lines of processes that work in the folder of the shop."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == shop.folder:
                found.append((process / "cmdline").read_bytes())
        except OSError:  # it has ended meanwhile, or belongs to somebody else
            continue
    return found
