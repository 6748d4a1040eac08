"""docs/upgrade.md: its commands, on a store that is there."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from recsys.errors import InputError
from recsys.tracking import open_store
from tasks.settings import QUIET

PAGE = (Path(__file__).parents[2] / "docs" / "upgrade.md").read_text(encoding="utf-8")
MLFLOW, PREFECT = re.findall(r"^ +```\n(.*?)^ +```$", PAGE, re.MULTILINE | re.DOTALL)
(BEFORE,) = re.findall(r"until then commands end with `(.*?)`", PAGE, re.DOTALL)


def shell(commands, folder):
    """Lines as typed with the environment switched on."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    activated = QUIET | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=folder, env=clean | activated, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def place(fresh_database, tmp_path):
    """A folder with a store that no process has opened."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(fresh_database, tmp_path / "mlruns")
    return tmp_path


def test_mlflow_s_database_follows(place, monkeypatch):
    monkeypatch.chdir(place)
    assert "Updating database tables" in shell(MLFLOW, place)
    open_store("mlruns")


def test_until_then_commands_say_so(place):
    """The database is of another version by its own mark alone."""
    with closing(sqlite3.connect(place / "mlruns" / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '000000000000'")
    with pytest.raises(InputError, match=" ".join(BEFORE.split())):
        open_store(place / "mlruns")


def test_prefect_s_database_follows(place):
    assert "upgraded" in shell(PREFECT, place)
    assert (place / "mlruns" / "prefect" / "prefect.db").is_file()
