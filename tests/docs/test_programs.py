"""Programs on pages of docs/ print what stands under them."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["history.md", "reference/api.md"])
def test_a_program_prints_what_is_shown(page, toy, monkeypatch, capsys):
    monkeypatch.chdir(toy)  # with a champion, for the page that asks one
    ((program, shown),) = PROGRAM.findall((DOCS / page).read_text(encoding="utf-8"))
    exec(compile(program, page, "exec"), {})
    assert capsys.readouterr().out == shown
