"""`recsys stack` with real servers, as docs/stack.md shows it: used, backed up, killed, and started with passwords.

The tests of a class share a stack, in their order; the second stack starts on the data of the first.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import boto3
import psutil
import pytest

from flows.shipped import shipped
from flows.stack.description import read
from flows.stack.leftovers import MARK
from flows.stack.run import AUTH, FILES
from recsys.feedback.store import open_store
from tests import servers

ROOT = Path(__file__).parents[3]
PAGE, LOOP = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("stack.md", "loop.md"))
SHOP = dict(re.findall(r"^`((?:shop|log|events)\.\w+)`:\n\n```\w+\n(.*?)^```$", LOOP, re.MULTILINE | re.DOTALL))
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(SHOWN,) = (text for kind, text in FENCES if kind == "text")
DEFAULTS = {"5433": "DATABASE", "4200": "PREFECT", "5000": "MLFLOW"}
FOREIGN = {"Content-Type": "application/json"}


def typed(line):
    """The commands of the page among which this line is."""
    (found,) = (text for kind, text in FENCES if not kind and line in text.splitlines())
    return found


@pytest.fixture(scope="module")
def place(postgresql):
    """A folder with the shop of docs/loop.md, and the page's commands typed in it."""
    # Not pytest's folder, which the user of PostgreSQL may not enter.
    folder = Path(tempfile.mkdtemp(prefix="recsys-stack-"))
    folder.chmod(0o755)
    for name, content in SHOP.items():
        (folder / name).write_text(content, encoding="utf-8")
    # Under `make test` its make would take itself for a part of that one.
    alone = {name: value for name, value in servers.inherited().items() if not name.startswith("MAKE")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def run(commands):
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands.replace("my-shop", "shop")],
            cwd=folder,
            env={**alone, "PATH": path, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    yield SimpleNamespace(folder=folder, run=run)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stack(place):
    """Without passwords."""
    with servers.Stack(place.folder) as running:
        yield running


def ask(url, content=None, **headers):
    """The status, and what was said."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, FOREIGN | headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def described(stack, files):
    """The services as the stack should have started them."""
    secrets = dict(line.split("=", 1) for line in (stack.state / "secrets.env").read_text().splitlines())
    here = {f"RECSYS_{name}_HOST": "127.0.0.1" for name in DEFAULTS.values()}
    folders = {"RECSYS_DATA": str(stack.state), "RECSYS_CONFIGS": str(stack.state / "configs")}
    values = here | folders | stack.settings | secrets
    values |= {"RECSYS_LISTEN": "127.0.0.1", "RECSYS_SOCKETS": ""}
    values.setdefault("RECSYS_ARTIFACTS", str(stack.state / "artifacts"))
    return read([shipped(name) for name in files], values).services


def commands_that_run(place):
    """By service, the command line of the process that supervisord started."""

    def told():
        return place.run("supervisorctl -c mlruns/stack/supervisord.conf status").stdout

    # One that has just started is not said to be running.
    servers.wait(lambda: "STARTING" not in told(), told)
    pids = dict(re.findall(r"^(\w+) +RUNNING +pid (\d+)", told(), re.MULTILINE))
    return {name: psutil.Process(int(pid)).cmdline() for name, pid in pids.items()}


def check_commands(place, stack, files):
    running, wanted = commands_that_run(place), described(stack, files)
    assert list(running) == sorted(wanted)
    for name, service in wanted.items():
        # A script is run by its interpreter.
        words = running[name][-len(service.command) :]
        assert [Path(words[0]).name, *words[1:]] == service.command


class TestStack:
    def test_it_says_what_is_where(self, stack):
        shown = SHOWN
        for default, name in DEFAULTS.items():
            shown = shown.replace(f"127.0.0.1:{default}", f"127.0.0.1:{stack.settings[f'RECSYS_{name}_PORT']}")
        assert [line.split() for line in stack.printed.splitlines()] == [line.split() for line in shown.splitlines()]

    def test_every_command_is_that_of_the_description(self, place, stack):
        check_commands(place, stack, FILES)

    def test_secrets_are_for_the_owner_only(self, stack):
        secrets = re.findall("=(.+)", (stack.state / "secrets.env").read_text())
        private = [stack.state / name for name in ("env", "secrets.env", "supervisord.conf", "configs/databases.sql")]
        assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
        told = stack.printed + "".join(path.read_text() for path in (stack.state / "logs").iterdir())
        assert len(secrets) == 5
        assert not [one for one in secrets if one in told]
        arguments = " ".join(word for process in stack.tree() for word in process.cmdline())
        assert not [one for one in secrets if one in arguments]

    def test_the_pages_of_prefect_know_where_its_api_is(self, stack):
        server = stack.clients["PREFECT_API_URL"].removesuffix("/api")
        status, said = ask(f"{server}/ui-settings")
        assert (status, json.loads(said)["api_url"]) == (200, f"{server}/api")
        status, page = ask(server)
        assert (status, "<title>" in page) == (200, True)

    def test_pages_of_others_get_nothing(self, stack):
        prefect, mlflow = stack.clients["PREFECT_API_URL"], stack.clients["MLFLOW_TRACKING_URI"]
        search = f"{mlflow}/api/2.0/mlflow/experiments/search"
        assert ask(f"{mlflow}/health") == (200, "OK")
        assert ask(search, {"max_results": 1})[0] == 200
        assert ask(search, {"max_results": 1}, Host="evil.example")[0] == 403
        assert ask(search, {"max_results": 1}, Origin="http://evil.example")[0] == 403
        assert ask(f"{prefect}/flows/filter", {}) == (403, '{"detail":"Missing CSRF token."}')
        asked = urllib.request.Request(f"{prefect}/health", headers={"Origin": "http://evil.example"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] is None

    def test_a_second_one_is_refused(self, place, stack):
        done = place.run("recsys stack")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"a stack runs in {stack.state}, process {stack.process.pid}; end it with Ctrl-C" in done.stderr
        assert stack.answers()

    def test_make_deploy_finds_it_and_its_worker_runs_what_is_started(self, place, stack):
        """From the Makefile of a checkout that has been installed already."""
        shutil.copy(ROOT / "Makefile", place.folder)
        for name in ("pyproject.toml", "constraints.txt"):
            (place.folder / name).touch()
        (place.folder / "venv").mkdir()
        (place.folder / "venv" / "bin").symlink_to(Path(sys.executable).parent)
        (place.folder / "venv" / ".ready").touch()
        deployed = place.run(f"{typed('make deploy CONFIG=my-shop.toml').strip()} VENV=venv")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert "ingest/shop" in deployed.stdout
        started = place.run(typed("recsys feedback add events.csv"))
        assert started.returncode == 0, started.stdout + started.stderr
        assert "Flow run finished successfully in 'Completed'" in started.stdout
        assert list((place.folder / "mlruns/ingested/shop").glob("*.parquet"))
        assert not (place.folder / "mlruns/feedback.db").exists()

    def test_a_service_is_started_again(self, place, stack):
        before = commands_that_run(place), psutil.Process(int(self.pid(place, "prefect"))).create_time()
        done = place.run(typed("supervisorctl -c mlruns/stack/supervisord.conf restart prefect"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("prefect: stopped\nprefect: started\n")
        self.wait_for(stack)
        assert commands_that_run(place) == before[0]
        assert psutil.Process(int(self.pid(place, "prefect"))).create_time() > before[1]

    def test_what_falls_is_started_again(self, place, stack):
        fallen = int(self.pid(place, "mlflow"))
        psutil.Process(fallen).kill()
        servers.wait(lambda: self.pid(place, "mlflow") not in ("0", str(fallen)), lambda: fallen)
        self.wait_for(stack)

    def test_back_up_upgrade_and_restore(self, place, stack, monkeypatch):
        for name, value in stack.clients.items():
            monkeypatch.setenv(name, value)
        program = "import mlflow; mlflow.set_experiment('kept'); mlflow.log_text('all of it', 'a.txt')"
        assert place.run(f'. mlruns/stack/env; python -W ignore -c "{program}"').returncode == 0
        backup, restore = typed("mkdir backup"), typed("cp -a backup/artifacts/. mlruns/stack/artifacts/")
        done = place.run(backup)
        assert done.returncode == 0, done.stderr
        # What is done since is gone after the restore.
        assert place.run(". mlruns/stack/env; recsys forget --user 1; rm -r mlruns/stack/artifacts/*").returncode == 0
        *stop_and_restore, start = restore.splitlines()
        upgrade = typed("git pull").splitlines()[-1]
        for commands in ("\n".join(stop_and_restore), f". mlruns/stack/env; {upgrade}", start):
            done = place.run(commands)
            assert done.returncode == 0, done.stdout + done.stderr
        self.wait_for(stack)
        with open_store(place.folder / "mlruns") as feedback:
            assert len([event for batch in feedback.after() for event in batch.events]) == 4
        read_back = (
            "import mlflow; run, = mlflow.search_runs(experiment_names=['kept'], output_format='list'); "
            "print(mlflow.artifacts.load_text(run.info.artifact_uri + '/a.txt'))"
        )
        assert "all of it" in place.run(f'. mlruns/stack/env; python -W ignore -c "{read_back}"').stdout
        known, _ = ask(f"{stack.clients['PREFECT_API_URL']}/deployments/name/ingest/shop")
        assert known == 200

    @staticmethod
    def pid(place, name):
        return place.run(f"supervisorctl -c mlruns/stack/supervisord.conf pid {name}").stdout.strip()

    @staticmethod
    def wait_for(stack):
        def up():
            try:
                return (
                    ask(f"{stack.clients['PREFECT_API_URL']}/health")[0]
                    == 200
                    == ask(f"{stack.clients['MLFLOW_TRACKING_URI']}/health")[0]
                )
            except OSError:
                return False

        servers.wait(up, lambda: stack.clients)


@pytest.fixture(scope="module")
def guarded(place, stack, object_store):
    """With passwords and an object store, after `kill -9` of the other, of supervisord too, and of nothing else."""
    supervisord = psutil.Process(int((stack.state / "supervisord.pid").read_text()))
    stack.kill(alone=True)
    supervisord.kill()
    left = [process for process in stack.tree() if servers.lives(process)]
    assert len(left) > 10
    for name, value in object_store.environment.items():
        os.environ[name] = value
    boto3.client("s3").create_bucket(Bucket="artifacts")
    objects = {"RECSYS_ARTIFACTS": "s3://artifacts", "RECSYS_OBJECTS_URL": object_store.url}
    with servers.Stack(place.folder, "--auth", **stack.settings, **objects) as running:
        assert not [process for process in left if servers.lives(process)]
        yield running
    for name in object_store.environment:
        del os.environ[name]


def basic(user, password):
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


class TestGuarded:
    def test_it_ended_what_the_other_left(self, guarded):
        assert re.match(r"ended \d+ processes of a stack that was killed\n", guarded.printed)

    def test_every_command_is_that_of_the_description(self, place, guarded):
        check_commands(place, guarded, FILES + AUTH)

    def test_both_servers_ask_for_a_password(self, guarded):
        theirs = guarded.clients
        version = f"{theirs['PREFECT_API_URL']}/admin/version"
        search = f"{theirs['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/search"
        user, password = theirs["PREFECT_API_AUTH_STRING"].split(":")
        assert [ask(version)[0], ask(version, **basic(user, "password"))[0]] == [401, 401]
        assert ask(version, **basic(user, password))[0] == 200
        user, password = theirs["MLFLOW_TRACKING_USERNAME"], theirs["MLFLOW_TRACKING_PASSWORD"]
        assert [ask(search, {"max_results": 1})[0], ask(search, {"max_results": 1}, **basic(user, "no"))[0]] == [
            401,
            401,
        ]
        assert ask(search, {"max_results": 1}, **basic("admin", "password1234"))[0] == 401
        assert ask(search, {"max_results": 1}, **basic(user, password))[0] == 200

    def test_a_run_is_on_mlflow_and_its_artifacts_in_the_object_store(self, place, guarded, toy_events):
        """The deployments are those that were made before the other was killed."""
        toy_events().to_csv(place.folder / "toy.csv", index=False)
        (place.folder / "toy.toml").write_text(
            'name = "toy"\n[data]\npath = "toy.csv"\n[split]\nmethod = "leave_last"\n'
        )
        overrides = json.dumps(['models.candidates=["popularity"]', "tuning.trials=1"])
        given = f"""--param config='"toy.toml"' --param overrides='{overrides}'"""
        started = place.run(f". mlruns/stack/env; prefect deployment run train/shop {given} --watch")
        assert started.returncode == 0, started.stdout + started.stderr
        asked = "import mlflow; print(len(mlflow.search_runs(experiment_names=['toy'])))"
        counted = place.run(f'. mlruns/stack/env; python -W ignore -c "{asked}"')
        assert int(counted.stdout) > 1, counted.stderr
        assert boto3.client("s3").list_objects_v2(Bucket="artifacts")["KeyCount"] > 1
        assert not (place.folder / "mlruns/mlflow.db").exists()

    def test_sigterm_ends_a_run_with_a_word_and_leaves_nothing(self, place, guarded):
        given = """--param config='"long.toml"' --param overrides='["tuning.trials=10000"]'"""
        (place.folder / "long.toml").write_text('name = "long"\n[data]\nsource = "synthetic?users=150&items=60"\n')
        started = place.run(f". mlruns/stack/env; prefect deployment run retrain/shop {given}")
        assert started.returncode == 0, started.stderr
        log = guarded.state / "logs" / "worker.log"
        servers.wait(lambda: "Beginning flow run 'retrain long.toml'" in log.read_text(), log.read_text)
        processes = guarded.tree()
        guarded.process.send_signal(signal.SIGTERM)
        assert guarded.process.wait(timeout=servers.PATIENCE) == 0
        assert guarded.printed.endswith("stopping …\nall have ended\n")
        assert "Finished in state Crashed('Execution was aborted by a termination signal.')" in log.read_text()
        assert not [process for process in processes if servers.lives(process)]
        assert not [process for process in psutil.process_iter() if marked(process, guarded.state)]
        assert not [name for name in ("env", "pid", "supervisor.sock") if (guarded.state / name).exists()]


def marked(process, folder):
    try:
        return process.environ().get(MARK) == str(folder)
    except (psutil.Error, OSError):  # it has ended meanwhile
        return False
