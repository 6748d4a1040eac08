"""Servers to test and to measure with, each a real process: PostgreSQL, Prefect, a worker, MLflow.

Each can be killed and started again on what it left, and is gone when its `with` block ends.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from flows.stack import postgres

PATIENCE = 240.0
"""Seconds in which a server has to answer, and to end."""
OURS = ("PREFECT_", "MLFLOW_", "RECSYS_")
"""How the variables begin that a process is not to inherit from whoever runs the tests."""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""States in which a flow run stays."""


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def inherited() -> dict[str, str]:
    """The environment without what would lead a process to somebody else's server or store."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def wait(condition: Callable[[], Any], why: Callable[[], object], seconds: float = PATIENCE) -> Any:
    """What a condition says once that is true of it; `why` tells what was there instead when the seconds are over."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, why()
        time.sleep(0.1)
    return found


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended, be it that nobody has asked yet how it did."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


class Server:
    """A process that writes to `log` and is waited for until it answers."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str], **how: Any) -> None:
        self.folder, self.log = folder, folder / "log"
        self._command, self._environment, self._how = command, environment, how
        self._all: set[psutil.Process] = set()

    def answers(self) -> bool:
        """Whether it is up: each kind of server says."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start, or start again, and wait for it."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=inherited() | dict(self._environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._how,
            )
        wait(lambda: self.answers() or self.process.poll() is not None, self.log.read_text)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def tree(self) -> set[psutil.Process]:
        """The process and all that it started and that are still its own."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.process.pid)
            self._all |= {process, *process.children(recursive=True)}
        return {one for one in self._all if lives(one)}

    def says(self, text: str) -> None:
        """Wait until it has written this to its log."""
        wait(lambda: text in self.log.read_text(), self.log.read_text)

    def stop(self) -> None:
        """As Ctrl-C does."""
        self.tree()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE)

    def kill(self, *, alone: bool = False) -> None:
        """`kill -9`, of all that it started as well unless it is to be `alone`."""
        tree = self.tree()
        self.process.kill()
        self.process.wait()
        if not alone:
            _kill(tree)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            _kill(self.tree())
            raise

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None and self.process.poll() is None:
                self.stop()
                wait(lambda: not self.tree(), lambda: f"outlived {self._command}: {self.tree()}", 10)
        finally:
            _kill(self.tree())
            self.process.wait()


class Postgres(Server):
    """PostgreSQL in a folder of its own; `url()` makes an empty database.

    Raises:
        InputError: it is not installed.
    """

    def __init__(self) -> None:
        tools = postgres.tools()
        # Not pytest's folder, which the user of the server may not enter.
        folder = Path(tempfile.mkdtemp(prefix="recsys-postgres-"))
        as_user = postgres.as_user()
        if user := postgres.user():
            shutil.chown(folder, user, user)
        data, port = folder / "data", free_port()
        make = [tools / "initdb", "--pgdata", data, "--username", "recsys", "--auth", "trust", "--no-sync"]
        done = subprocess.run(
            [*make, "--encoding", "UTF8", "--locale", "C"], cwd=folder, capture_output=True, text=True, **as_user
        )
        assert done.returncode == 0, done.stderr
        start = [str(tools / "postgres"), "-D", str(data), "-k", str(folder), "-p", str(port)]
        super().__init__([*start, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"], folder, {}, **as_user)
        self.at = f"recsys@127.0.0.1:{port}"
        self._made = 0

    def answers(self) -> bool:
        """Whether one can connect."""
        try:
            psycopg.connect(f"postgresql://{self.at}/postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self, *, alone: bool = False) -> None:
        """At once and without a checkpoint: the next start recovers, as after a crash."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=PATIENCE)

    def url(self) -> str:
        """Of an empty database."""
        self._made += 1
        with psycopg.connect(f"postgresql://{self.at}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE test{self._made}")
        return f"postgresql://{self.at}/test{self._made}"

    def __exit__(self, error: object, *_: object) -> None:
        try:
            super().__exit__(error)
        finally:
            shutil.rmtree(self.folder)


class Prefect(Server):
    """A Prefect server, on SQLite or in a database of PostgreSQL; `url` is that of its API."""

    def __init__(self, folder: Path, database: str | None = None, **settings: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api"
        environment = {
            "PREFECT_HOME": str(folder),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_UI_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            # As docs/operations.md says: on SQLite a server would answer 503 under many tasks.
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        }
        if database:
            driver = database.replace("postgresql://", "postgresql+asyncpg://")
            environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = driver
        super().__init__([sys.executable, "-m", "prefect", "server", "start"], folder, environment | settings)

    def answers(self) -> bool:
        """Whether it says that it is healthy."""
        return _says(f"{self.url}/health", b"true")

    def ask(self, path: str, content: object = None, method: str = "POST") -> Any:
        """What its API answers."""
        body = None if method == "GET" else json.dumps(content or {}).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    said = answer.read()
                return json.loads(said) if said else None
            except urllib.error.HTTPError as error:
                if error.code != 503:  # SQLite is busy
                    raise
                time.sleep(0.2)

    def deployment(self, name: str) -> dict[str, Any]:
        """As it is registered, by `flow/name`."""
        found: dict[str, Any] = self.ask(f"/deployments/name/{name}", method="GET")
        return found

    def run(self, name: str, **parameters: Any) -> str:
        """The id of a run of a deployment that is due now."""
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        return str(self.ask(path, {"parameters": parameters, "state": {"type": "SCHEDULED"}})["id"])

    def when(self, run: str, states: Iterable[str] = ENDED, seconds: float = PATIENCE) -> dict[str, Any]:
        """A run, once it is in one of these states."""
        seen: dict[str, Any] = {}

        def there() -> bool:
            seen.update(self.ask(f"/flow_runs/{run}", method="GET"))
            return seen["state_type"] in states

        wait(there, lambda: seen, seconds)
        return seen

    def messages(self, run: str, last: str) -> list[str]:
        """What the page of a run says, once it says that."""
        asked = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
        said: list[str] = []

        def there() -> bool:
            said[:] = [line["message"] for line in self.ask("/logs/filter", asked)]
            return any(last in line for line in said)

        wait(there, lambda: said)
        return said


class Worker(Server):
    """A worker of a work pool; `settings` are of its environment, which runs inherit."""

    def __init__(self, folder: Path, pool: str, **settings: str) -> None:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
        super().__init__(
            [*command, "--install-policy", "never"], folder, {"PREFECT_WORKER_QUERY_SECONDS": "1"} | settings
        )

    def start(self) -> Self:
        """Start again means to say so again."""
        self.log.unlink(missing_ok=True)
        return super().start()

    def answers(self) -> bool:
        """Whether it has said so."""
        return b"started!" in self.log.read_bytes()


class Mlflow(Server):
    """An MLflow server on SQLite, with its artifacts beside it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        kept = [
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            f"{folder}/artifacts",
        ]
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        super().__init__([*command, "--workers", "1", *kept], folder, quiet | settings)

    def answers(self) -> bool:
        """Whether it says that it is healthy."""
        return _says(f"{self.url}/health", b"OK")


class ObjectStore(Server):
    """One that speaks S3, empty, in memory; `environment` is that of whoever talks to it."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": "recsys",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        super().__init__([sys.executable, "-m", "moto.server", "--port", str(port)], folder, {})

    def answers(self) -> bool:
        """Whether it answers at all."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/moto-api/", timeout=5):
            return True
        return False


class Stack(Server):
    """`recsys stack` in a folder that the user of PostgreSQL may enter; `printed` is what it has said."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        command = [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())", "stack", *options]
        ports = {f"RECSYS_{name}_PORT": str(free_port()) for name in ("DATABASE", "PREFECT", "MLFLOW", "WORKER")}
        self.state, self.settings = folder / "mlruns" / "stack", ports | settings
        super().__init__(command, folder, self.settings)

    def start(self) -> Self:
        """Start again means to say so again."""
        self.log.unlink(missing_ok=True)
        return super().start()

    def answers(self) -> bool:
        """Whether all services are healthy."""
        return "Ctrl-C stops all" in self.printed

    @property
    def printed(self) -> str:
        """On its terminal."""
        return self.log.read_text(encoding="utf-8")

    @property
    def clients(self) -> dict[str, str]:
        """What `. mlruns/stack/env` puts into the environment, but for where programs are."""
        lines = (self.state / "env").read_text(encoding="utf-8").splitlines()
        exported = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        return {name: value for name, value in exported.items() if name != "PATH"}


def _says(url: str, answer: bytes) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as said:
        return bool(said.read() == answer)
    return False


def _kill(processes: set[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(processes, timeout=10)
