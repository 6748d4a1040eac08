"""Feedback stores to test with: every test that asks for one runs on SQLite and on a PostgreSQL of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from glob import glob
from pathlib import Path

import psycopg
import pytest

from recsys.feedback.database import URL
from recsys.feedback.event import Event
from recsys.feedback.store import open_store


@pytest.fixture(scope="session")
def postgres():
    """Makes empty databases, given by their URLs, on a server that ends with the tests."""
    tools = _tools()
    # Not pytest's folder, which the user of the server may not enter.
    folder = Path(tempfile.mkdtemp(prefix="recsys-postgres-"))
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user, user)
    as_user = {"user": user, "group": user, "extra_groups": []} if user else {}
    data, log = folder / "data", folder / "log"
    make = [tools / "initdb", "--pgdata", data, "--username", "recsys", "--auth", "trust", "--no-sync"]
    done = subprocess.run(
        [*make, "--encoding", "UTF8", "--locale", "C"], cwd=folder, capture_output=True, text=True, **as_user
    )
    assert done.returncode == 0, done.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = [tools / "postgres", "-D", data, "-k", folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    server = f"postgresql://recsys@127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*start, "-c", "fsync=off"], cwd=folder, stdout=output, stderr=subprocess.STDOUT, **as_user
        )
    made = 0

    def database():
        nonlocal made
        made += 1
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE test{made}")
        return f"{server}/test{made}"

    try:
        _wait(f"{server}/postgres", process, log)
        yield database
    finally:
        process.send_signal(signal.SIGINT)  # without waiting for its clients
        process.wait(timeout=30)
        shutil.rmtree(folder)


def _tools():
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(map(Path, glob("/usr/lib/postgresql/*/bin")))
    if not folders:
        # A failure in CI (tests/conftest.py), which installs it; whoever tries the project out need not.
        pytest.skip("there is no PostgreSQL to test with: apt-get install postgresql")
    return folders[-1]


def _wait(url, process, log):
    """Until the server answers, a minute at most."""
    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request, tmp_path, monkeypatch):
    """A folder whose feedback store lies in it or, by the URL in the environment, on PostgreSQL."""
    monkeypatch.delenv(URL, raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv(URL, request.getfixturevalue("postgres")())
    return tmp_path / "store"


@pytest.fixture
def feedback(folder):
    """An empty feedback store."""
    with open_store(folder) as opened:
        yield opened


@pytest.fixture
def event():
    """Events by their number: e7 says that u7 viewed i7 at second 1,700,000,007."""

    def make(number, **changed):
        said = {"event_id": f"e{number}", "user_id": f"u{number}", "item_id": f"i{number}", "event_type": "view"}
        return Event(**{**said, "timestamp": 1_700_000_000 + number, **changed})

    return make
