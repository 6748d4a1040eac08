"""docs/feedback.md: its commands and its program, run in their order in an empty folder, print what it shows."""

import re
import sys
from pathlib import Path

import pytest

from recsys import cli
from recsys.feedback.database import URL

PAGE = (Path(__file__).parents[2] / "docs" / "feedback.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A folder with the files of the page, in which to type."""
    for name, content in FILE.findall(PAGE):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(URL, raising=False)
    return tmp_path


def test_everything_on_the_page(page, monkeypatch, capsys):
    commands = SHOWN.findall(PAGE)
    assert [words for words, _ in commands] == [
        "feedback add events.csv",
        "feedback add events.csv",
        "feedback add wrong.csv",
    ]
    for words, shown in commands:
        monkeypatch.setattr(sys, "argv", ["recsys", *words.split()])
        wrong = shown.startswith("recsys: ")
        assert cli.main() == (2 if wrong else 0)
        out, err = capsys.readouterr()
        assert (err if wrong else out).replace(str(page), "FOLDER") == shown
    ((program, printed),) = PROGRAM.findall(PAGE)
    exec(compile(program, "docs/feedback.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_a_wrong_file_leaves_nothing_behind(page, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recsys", "feedback", "add", "wrong.csv"])
    assert cli.main() == 2
    assert not (page / "mlruns").exists()
