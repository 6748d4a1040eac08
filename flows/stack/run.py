"""`recsys stack` from its first line to its last: start in order, stay, end in the opposite order."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from flows.shipped import shipped
from flows.stack import leftovers, machine, postgres
from flows.stack.description import Description, read
from flows.stack.supervisor import Supervisor, configuration
from recsys.addresses import bypass_proxies
from recsys.errors import InputError

FILES, AUTH = ("docker/compose.yaml",), ("docker/compose.auth.yaml",)
WATCH = 5
"""Seconds between two looks at what was given up."""


def run(store: Path, tell: Callable[[str], None], *, auth: bool) -> None:
    """Start the stack of a store, stay until SIGINT, SIGTERM or SIGHUP, and leave no process behind.

    Args:
        store: everything is kept in the folder `stack` of it.
        tell: told a line once a service is healthy.
        auth: the servers ask for passwords.

    Raises:
        InputError: a value cannot be, PostgreSQL is missing, a port is taken, or another one runs on this store.
    """
    folder = store.absolute() / "stack"
    chosen, tools = machine.values(folder, os.environ, auth=auth), postgres.tools()
    bypass_proxies(*(host for name, host in chosen.items() if name.endswith("_HOST")))
    supervisor = Supervisor(folder, tools)
    with _held(folder), _interruptible():
        if ended := leftovers.end(folder):
            tell(f"ended {ended} processes of a stack that was killed")
        machine.check_ports(chosen)
        known = machine.passwords(folder / "secrets.env", os.environ)
        description = read([shipped(name) for name in FILES + AUTH * auth], chosen | known)
        try:
            _start(folder, description, supervisor, store / "stack", tell)
            _stay(supervisor, store / "stack", tell)
        except KeyboardInterrupt:
            tell("stopping …")
        finally:
            _ignore()
            (folder / "env").unlink(missing_ok=True)
            leftovers.end(folder)


def _start(
    folder: Path, description: Description, supervisor: Supervisor, shown: Path, tell: Callable[[str], None]
) -> None:
    for name in ("logs", "artifacts", "configs"):
        (folder / name).mkdir(exist_ok=True)
    for file, content in description.files.items():
        machine.write_private(file, content)
    database = description.services["database"].environment
    postgres.make(Path(database["PGDATA"]), database, (folder / "configs" / "databases.sql").read_text())
    supervisor.start(configuration(folder, description))
    width = max(len(service.url or "") for service in description.services.values())
    for stage in description.stages():
        for name in stage:
            supervisor.begin(name)
        for name in stage:
            service = description.services[name]
            supervisor.wait(name, service)
            tell(f"{name:9} {service.url or 'is waiting for runs':{width}}  {shown / 'logs' / name}.log")
    exports = [f"export {name}={shlex.quote(value)}\n" for name, value in description.clients.items()]
    programs = shlex.quote(str(Path(sys.executable).parent))
    machine.write_private(folder / "env", "".join([*exports, f'export PATH={programs}:"$PATH"\n']))
    tell(f"Ctrl-C stops all. In another terminal: . {shlex.quote(str(shown / 'env'))}")


def _stay(supervisor: Supervisor, shown: Path, tell: Callable[[str], None]) -> None:
    told: set[str] = set()
    while not supervisor.ended(WATCH):
        for name in set(supervisor.fallen()) - told:
            tell(f"{name} ends as soon as it starts, and was given up: {shown / 'logs' / name}.log")
            told.add(name)
    raise InputError(
        f"somebody ended supervisord, and with it the stack; {shown / 'logs' / 'supervisord.log'} says more"
    )


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One stack in a folder at a time; the system lets go of the lock of a process that was killed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}; {postgres.ELSEWHERE}") from error
    lock, number = FileLock(folder / ".lock"), folder / "pid"
    try:
        lock.acquire(blocking=False)
    except Timeout:
        pid = number.read_text().strip() if number.exists() else "that is starting"
        raise InputError(f"a stack runs in {folder}, process {pid}; end it with Ctrl-C or kill {pid}") from None
    try:
        number.write_text(f"{os.getpid()}\n")
        yield
    finally:
        number.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, are taken as Ctrl-C."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore() -> None:
    """A second Ctrl-C does not leave behind what the first is ending."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
