"""`recsys feedback` and `recsys forget` as a person or a script uses it, on both databases."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from recsys import cli
from recsys.feedback.store import open_store

LINE = '{"event_id": "e%d", "user_id": 1, "item_id": 2, "event_type": "view", "timestamp": "2023-11-14"}\n'


@pytest.fixture
def recsys(folder, monkeypatch, capsys):
    """Exit code, stdout and stderr of `recsys WORDS` on the store."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["recsys", *map(str, words), "--store", str(folder)])
        code = cli.main()
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def add(recsys, monkeypatch):
    """`recsys feedback add NAME`, with this on standard input."""

    def run(name, standard_input=""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(standard_input.encode())))
        return recsys("feedback", "add", name)

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


class TestQuarantine:
    def test_lines_with_their_reasons(self, add, recsys):
        add("-", LINE % 1 + "1\n{\n")
        code, out, _ = recsys("feedback", "quarantine")
        assert code == 0
        assert out.splitlines() == [
            "standard input, line 2: no JSON object but 1",
            "  1",
            "standard input, line 3: no JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
            "  {",
            "2 lines in quarantine",
        ]

    def test_as_json(self, add, recsys):
        add("-", "{\n")
        code, out, _ = recsys("feedback", "quarantine", "--json")
        (line,) = json.loads(out)
        assert (code, line["source"], line["line"], line["raw"]) == (0, "standard input", 1, "{")

    def test_nothing(self, recsys, folder):
        assert recsys("feedback", "quarantine") == (0, "Nothing in quarantine\n", "")
        assert not (folder / "feedback.db").exists()


class TestForget:
    def test_a_user_and_what_comes_again(self, add, recsys, folder):
        lines = LINE % 1 + LINE.replace('"user_id": 1', '"user_id": 2') % 2 + '{"user_id": 1}\n'
        add("-", lines)
        code, out, _ = recsys("forget", "--user", 1)
        assert (code, out.splitlines()[:3]) == (
            0,
            ["1 is forgotten. Gone are:", "  events in the feedback store: 1", "  lines in its quarantine: 1"],
        )
        _, out, _ = add("-", lines)
        assert out.splitlines()[0] == (
            "standard input: 0 events added, 1 were there already, 0 lines in quarantine, 2 of forgotten users left out"
        )
        assert recsys("forget", "--user", 1)[0] == 0
        with open_store(folder) as opened:
            assert [event.event_id for batch in opened.after() for event in batch.events] == ["e2"]

    def test_nobody_of_that_name(self, add, recsys, folder):
        add("-", LINE % 1)
        code, out, err = recsys("forget", "--user", "anna")
        assert (code, out) == (2, "")
        assert err == (
            f"recsys: nobody in {folder} is called 'anna': no event, no model and no recommendation is of such a user. "
            "Ids are compared as text, upper and lower case are different\n"
        )
