"""`recsys feedback add` as a person or a script uses it, on both databases."""

import io
import sys
from types import SimpleNamespace

import pytest

from recsys import cli
from recsys.feedback.store import open_store

LINE = '{"event_id": "e%d", "user_id": 1, "item_id": 2, "event_type": "view", "timestamp": "2023-11-14"}\n'


@pytest.fixture
def add(folder, monkeypatch, capsys):
    """Exit code, stdout and stderr of `recsys feedback add NAME`, with this on standard input."""

    def run(name, standard_input=""):
        monkeypatch.setattr(sys, "argv", ["recsys", "feedback", "add", str(name), "--store", str(folder)])
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(standard_input.encode())))
        code = cli.main()
        return code, *capsys.readouterr()

    return run


def test_standard_input(add, folder):
    code, out, _ = add("-", LINE % 1 + LINE % 2)
    assert code == 0
    first, second = out.splitlines()
    assert first == "standard input: 2 events added, 0 were there already, 0 lines in quarantine"
    with open_store(folder) as opened:
        assert second == f"Store: {opened.where}"
        assert [event.event_id for batch in opened.after() for event in batch.events] == ["e1", "e2"]


def test_many_broken_lines(add, folder, tmp_path):
    (tmp_path / "log.jsonl").write_text("".join(f"{number}\n" for number in range(1, 1_009)))
    code, out, _ = add(tmp_path / "log.jsonl")
    assert code == 0
    counted, *shown, rest, _ = out.splitlines()
    assert counted.endswith("log.jsonl: 0 events added, 0 were there already, 1,008 lines in quarantine")
    assert shown == [f"  line {number}: no JSON object but {number}" for number in range(1, 6)]
    assert rest == "  … and 1,003 more"
    with open_store(folder) as opened:
        assert {line["source"] for line in opened.quarantined()} == {str(tmp_path / "log.jsonl")}


def test_nothing_on_standard_input(add):
    code, out, _ = add("-")
    assert (code, out.splitlines()[0]) == (
        0,
        "standard input: 0 events added, 0 were there already, 0 lines in quarantine",
    )


def test_no_such_file(add, folder):
    assert add("none.csv") == (
        2,
        "",
        "recsys: none.csv cannot be read: No such file or directory; "
        "give a CSV or JSON lines file, or - for standard input\n",
    )
    assert not folder.exists()
