"""docs/backup.md, tried: a copy of a store in use comes back whole, and a store that moved answers again."""

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from recsys import cli
from recsys.feedback.event import Event
from recsys.feedback.store import open_store

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"`(\w+\.py)`[^`]*:\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COPY, RESTORE, MOVE = (text for language, text in FENCES if not language)
MADE_AT = "/srv/old/mlruns"
"""Where the page says that the store was."""


def event(number):
    return Event(f"s{number}", "guest", "101", "impression", 1_700_000_000 + number, request_id=f"r{number}")


@pytest.fixture
def recsys(monkeypatch, capsys):
    """`recsys WORDS` where one stands: exit code, what it printed."""

    def run(words):
        monkeypatch.setattr(sys, "argv", shlex.split(words))
        code = cli.main()
        out, err = capsys.readouterr()
        return code, out + err

    return run


def move(old, new):
    """As the page says."""
    command = MOVE.replace(MADE_AT, str(old)).replace("/srv/new/mlruns", str(new)).replace("python", sys.executable, 1)
    subprocess.run(shlex.split(command), check=True)


@pytest.fixture
def place(champions, tmp_path, monkeypatch):
    """A folder with a store `mlruns` of its own, two versions and two events in it, and the programs of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for name, program in PROGRAMS.items():
        (tmp_path / name).write_text(program, encoding="utf-8")
    shutil.copytree(champions, "mlruns", ignore=shutil.ignore_patterns("work"))
    move(champions, tmp_path / "mlruns")
    with open_store("mlruns") as feedback:
        feedback.append([event(1), event(2)], "the shop")
    (tmp_path / "mlruns" / "ingested" / "toy").mkdir(parents=True)
    pd.DataFrame({"user_id": [1]}).to_parquet(tmp_path / "mlruns" / "ingested" / "toy" / "up-to-000000000001.parquet")
    return tmp_path


def kept(place):
    with open_store(place / "mlruns") as feedback:
        return [one.event_id for batch in feedback.after(0) for one in batch.events]


def shell(commands, folder):
    subprocess.run(["sh", "-ec", commands], cwd=folder, check=True)


def test_a_copy_while_nothing_runs_comes_back(place, recsys):
    shell(COPY, place)
    before = recsys("recsys recommend --user 1 -k 3")
    assert before[0] == 0
    copy, listing = RESTORE.strip().rsplit("\n", 1)
    shell(copy, place)
    assert kept(place) == ["s1", "s2"]
    code, out = recsys(listing)
    assert (code, out.count("champion")) == (0, 1)
    assert recsys("recsys recommend --user 1 -k 3") == before


def test_a_copy_while_something_writes_is_whole(place, recsys):
    with open_store("mlruns") as feedback:
        feedback.append([event(3)], "the shop")  # stands in the journal: its reader holds the store open
        assert (place / "mlruns" / "feedback.db-wal").stat().st_size
        subprocess.run([sys.executable, "backup.py"], cwd=place, check=True)
        feedback.append([event(4)], "the shop")
    before = recsys("recsys recommend --user 1 -k 3")
    shell(RESTORE.strip().rsplit("\n", 1)[0], place)
    assert kept(place) == ["s1", "s2", "s3"]
    assert recsys("recsys recommend --user 1 -k 3") == before
    assert (place / "mlruns" / "ingested" / "toy" / "up-to-000000000001.parquet").is_file()


def test_a_store_that_moved_says_so_and_answers_once_the_database_is_told(place, recsys):
    before = recsys("recsys recommend --user 1 -k 3")
    new = place / "elsewhere" / "mlruns"
    new.parent.mkdir()
    (place / "mlruns").rename(new)
    assert recsys(f"recsys models --store {new}")[0] == 0
    code, said = recsys(f"recsys recommend --user 1 -k 3 --store {new}")
    assert code != 0
    assert "No such artifact" in said
    assert not (place / "mlruns").exists()
    move(place / "mlruns", new)
    assert recsys(f"recsys recommend --user 1 -k 3 --store {new}") == before
    assert not named(new / "mlflow.db", f"{place / 'mlruns'}/")


def named(database, path):
    """Columns of a database in which a path stands."""
    with closing(sqlite3.connect(database)) as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(table, one[1]) for table in tables for one in store.execute(f"PRAGMA table_info({table})")]
        return [
            (table, column)
            for table, column in columns
            if store.execute(f'SELECT 1 FROM {table} WHERE instr("{column}", ?)', (path,)).fetchone()
        ]
