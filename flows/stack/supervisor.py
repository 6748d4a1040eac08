"""supervisord and its configuration: starts services as processes, restarts those that fall, keeps their logs."""

import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from flows.stack import postgres
from flows.stack.description import Description, Service, seconds
from flows.stack.leftovers import MARK
from flows.stack.machine import write_private
from recsys.errors import InputError

DECIDED = ("PREFECT_", "MLFLOW_", "RECSYS_", "PG")
"""How the variables begin that the description decides, and nobody's environment."""
LONGEST_SOCKET = 103
"""Characters of the path of a socket, on macOS; Linux takes a few more."""

HEAD = """\
; Made anew at every start. supervisorctl -c {folder}/supervisord.conf status
[unix_http_server]
file={folder}/supervisor.sock
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/supervisor.sock

[supervisord]
nodaemon=true
silent=true
logfile={folder}/logs/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}/logs
{user}"""
PROGRAM = """
[program:{name}]
command={command}
environment={environment}
directory={folder}
priority={number}
autostart=false
autorestart=true
startsecs=5
stopsignal={signal}
stopwaitsecs={patience}
stopasgroup={group}
killasgroup=true
redirect_stderr=true
stdout_logfile={folder}/logs/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
{user}"""


class Supervisor:
    """A supervisord of a folder, from `start` until it is ended."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self._folder = folder
        path = os.pathsep.join([str(Path(sys.executable).parent), str(tools), os.environ.get("PATH", os.defpath)])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(DECIDED)}
        self._environment = inherited | {"PATH": path, MARK: str(folder)}
        self._socket = folder / "supervisor.sock"
        if len(str(self._socket)) > LONGEST_SOCKET:
            raise InputError(f"the path {self._socket} is too long for a socket; choose a shorter one with --store")

    def start(self, text: str) -> None:
        """Start with a configuration; no service is started yet, and none hears a Ctrl-C that is typed here."""
        configuration = self._folder / "supervisord.conf"
        write_private(configuration, text)
        refusal = self._folder / "logs" / "supervisord.err"
        with refusal.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"supervisord did not start: {last_line(refusal)}")
            time.sleep(0.1)

    def begin(self, name: str) -> None:
        """Start a service."""
        self._asked.startProcess(name, False)

    def wait(self, name: str, service: Service) -> None:
        """Wait until a service is healthy.

        Raises:
            InputError: it ends at once, again and again, or never gets healthy.
        """
        until = time.monotonic() + service.healthcheck.patience
        check = service.healthcheck
        while not self._is_healthy(service):
            state = self._asked.getProcessInfo(name)["statename"]
            if state == "FATAL" or time.monotonic() > until:
                log = self._folder / "logs" / f"{name}.log"
                why = "ends as soon as it starts" if state == "FATAL" else f"gave no answer for {check.patience} s"
                raise InputError(f"{name} {why}; the last line of {log}: {last_line(log)}")
            time.sleep(seconds(check.start_interval))

    def fallen(self) -> Iterable[str]:
        """Names of services that were given up, because they end as soon as they start."""
        with suppress(OSError, xmlrpc.client.Error):
            return [one["name"] for one in self._asked.getAllProcessInfo() if one["statename"] == "FATAL"]
        return []

    def ended(self, patience: float) -> bool:
        """Whether supervisord has ended, asked for so many seconds."""
        try:
            self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def _asked(self) -> Any:
        """Anew each time: after a call that failed, the transport is of no more use."""
        transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        # The address is what xmlrpc insists on; the socket is what is spoken to.
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _answers(self) -> bool:
        with suppress(OSError, xmlrpc.client.Error):
            return bool(self._asked.getState()["statename"] == "RUNNING")
        return False

    def _is_healthy(self, service: Service) -> bool:
        environment = self._environment | service.environment
        try:
            done = subprocess.run(
                service.healthcheck.command,
                env=environment,
                capture_output=True,
                check=False,
                timeout=seconds(service.healthcheck.timeout),
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def configuration(folder: Path, description: Description) -> str:
    """supervisord.conf: what starts first ends last."""
    root = "user=root\n" if postgres.user() else ""
    programs = [
        PROGRAM.format(
            name=name,
            command=_quoted(service.command),
            environment=",".join(f"{key}={_quoted([value])}" for key, value in service.environment.items()),
            folder=folder,
            number=number,
            signal=service.stop_signal.removeprefix("SIG"),
            patience=seconds(service.stop_grace_period),
            group="false" if name == "database" else "true",
            user=f"user={postgres.user()}\n" if name == "database" and postgres.user() else "",
        )
        for number, stage in enumerate(description.stages(), start=1)
        for name, service in ((one, description.services[one]) for one in stage)
    ]
    return HEAD.format(folder=folder, user=root) + "".join(programs)


def last_line(log: Path) -> str:
    """What a log ends with."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")


def _quoted(words: Iterable[str]) -> str:
    """In quotes as supervisord takes them, with its own sign for what it fills in doubled."""
    return " ".join('"' + word.replace("\\", r"\\").replace('"', r"\"").replace("%", "%%") + '"' for word in words)
