"""A folder for PostgreSQL's data: whole or not there, and with the statements that were asked for."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from flows.stack import postgres
from recsys.errors import InputError
from tests import servers

SETTINGS = {
    "POSTGRES_USER": "recsys",
    "POSTGRES_PASSWORD": "secret",
    "POSTGRES_INITDB_ARGS": "--auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync",
}
STATEMENTS = "CREATE DATABASE one;\nCREATE DATABASE two;\n"


@pytest.fixture
def data(postgresql):
    """Where to, in a folder that the user of PostgreSQL may enter."""
    folder = Path(tempfile.mkdtemp(prefix="recsys-data-"))
    folder.chmod(0o755)
    yield folder / "database"
    shutil.rmtree(folder)


def databases(data):
    """Names, as PostgreSQL itself tells them."""
    command = [postgres.tools() / "postgres", "--single", "-D", data, "postgres"]
    asked = "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname;\n"
    done = subprocess.run(
        command, cwd=data, input=asked, capture_output=True, text=True, check=True, **postgres.as_user()
    )
    return [line.split('"')[1] for line in done.stdout.splitlines() if "datname = " in line]


def test_it_is_made_once(data):
    postgres.make(data, SETTINGS, STATEMENTS)
    assert databases(data) == ["one", "postgres", "two"]
    made = (data / "PG_VERSION").stat().st_ino
    postgres.make(data, SETTINGS, STATEMENTS)
    assert (data / "PG_VERSION").stat().st_ino == made


@pytest.mark.parametrize(
    ("settings", "statements"),
    [(SETTINGS | {"POSTGRES_INITDB_ARGS": "--encoding=NONSENSE"}, STATEMENTS), (SETTINGS, "CREATE NONSENSE one;\n")],
)
def test_what_cannot_be_made_leaves_nothing(data, settings, statements):
    with pytest.raises(InputError, match="choose another place: recsys stack --store DIR"):
        postgres.make(data, settings, statements)
    assert [path.name for path in data.parent.iterdir() if path.is_dir()] == []


def test_killed_while_it_is_made(data):
    program = f"""
from pathlib import Path
from flows.stack import postgres
postgres.make(Path({str(data)!r}), {SETTINGS!r}, {STATEMENTS!r})
"""
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    servers.wait(lambda: list(data.parent.glob("*/base/1/PG_VERSION")), lambda: list(data.parent.rglob("*")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not data.exists()
    postgres.make(data, SETTINGS, STATEMENTS)
    assert databases(data) == ["one", "postgres", "two"]


def test_without_postgresql(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "SEEN", (str(tmp_path / "*"),))
    with pytest.raises(InputError, match="PostgreSQL is not installed: apt-get install postgresql"):
        postgres.tools()
