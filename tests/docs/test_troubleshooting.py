"""docs/troubleshooting.md: every message it quotes is one that the code, or the library it names, still says."""

import ast
import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = [
    (heading, message)
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    for message in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
]
THEIRS = {"MLflow": ("mlflow", "alembic"), "Prefect": ("prefect",)}
"""Whose messages stand under which heading, beside ours."""
SQLITE = "database is locked"
"""Of a library without source."""


def texts(source):
    """Every text of a program, with {} for what it fills in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def ours():
    found = [(ROOT / "Makefile").read_text(encoding="utf-8")]
    for package in ("recsys", "tasks", "flows"):
        for path in (ROOT / package).rglob("*.py"):
            found += texts(path.read_text(encoding="utf-8"))
    return found


@cache
def said_by(package):
    """The programs of an installed package, their texts as written: pieces of one text may stand on several lines."""
    folder = Path(find_spec(package).origin).parent
    return [path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*.py")]


def is_said(message, texts):
    """Whether a text has the pieces of a message in their order; … is anything."""
    pieces = [piece.strip() for piece in message.split("…")]
    whole = re.compile(".*?".join(rf"{re.escape(piece)}\s*" for piece in pieces), re.DOTALL)
    longest = max(pieces, key=len)
    return any(longest in text and whole.search(text) for text in texts)


@pytest.mark.parametrize(("heading", "message"), QUOTED, ids=[message for _, message in QUOTED])
def test_the_message_is_still_said(heading, message):
    assert len(message.replace("…", "").strip()) >= 12, "too short to be looked up"
    assert (
        is_said(message, ours())
        or message == SQLITE
        or any(is_said(message, said_by(package)) for package in THEIRS.get(heading, ()))
    )


def test_sqlite_says_so_when_two_write(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as one, closing(sqlite3.connect(tmp_path / "a.db", 0)) as other:
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match=SQLITE):
            other.execute("BEGIN IMMEDIATE")


def test_there_are_enough():
    assert len(QUOTED) >= 25
    assert len(QUOTED) == len({message for _, message in QUOTED})
    assert ("Prefect", SQLITE) in QUOTED
