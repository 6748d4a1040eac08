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
    blocks = sorted([*SHOWN.finditer(PAGE), *PROGRAM.finditer(PAGE)], key=lambda block: block.start())
    assert [block[1] if block.re is SHOWN else "" for block in blocks] == [
        "feedback add events.csv",
        "feedback add events.csv",
        "feedback quarantine",
        "feedback add wrong.csv",
        "",
        "forget --user anna",
        "feedback add events.csv",
        "forget --user ana",
    ]
    for block in blocks:
        wrong = block[2].startswith("recsys: ")
        if block.re is PROGRAM:
            exec(compile(block[1], "docs/feedback.md", "exec"), {})
        else:
            monkeypatch.setattr(sys, "argv", ["recsys", *block[1].split()])
            assert cli.main() == (2 if wrong else 0)
        out, err = capsys.readouterr()
        assert (err if wrong else out).replace(str(page), "FOLDER") == block[2]


def test_a_wrong_file_leaves_nothing_behind(page, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recsys", "feedback", "add", "wrong.csv"])
    assert cli.main() == 2
    assert not (page / "mlruns").exists()
