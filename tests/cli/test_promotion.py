"""Who is champion, by command: forced, rolled back, listed; wrong input, and `kill -9` between two aliases."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recsys import cli, registry, stale, tracking
from recsys.promotion import refuse

MODEL = "recsys-toy"
PAGE = (Path(__file__).parents[2] / "docs" / "loop.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^### By hand$(.*?)^### ", PAGE, re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}\+00:00")
KILLED = """
import os, signal, sys
from mlflow import MlflowClient
from recsys.cli import main

move, calls = MlflowClient.set_registered_model_alias, 0

def killed(self, *words):
    global calls
    calls += 1
    if calls == KILL_BEFORE:
        os.kill(os.getpid(), signal.SIGKILL)
    move(self, *words)

MlflowClient.set_registered_model_alias = killed
sys.exit(main())
"""


@pytest.fixture(scope="module")
def registered(toy_bundle, fresh_database, tmp_path_factory):
    """Three versions: 2 is champion, 1 previous; the gate refused 3."""
    folder = tmp_path_factory.mktemp("registered") / "store"
    folder.mkdir()
    shutil.copy(fresh_database, folder)
    tracking.open_store(folder)
    toy_bundle(folder / "work" / "bundle")
    for number in (1, 2, 3):
        run = tracking.start("toy", f"run {number}")
        assert registry.register(folder / "work" / "bundle", MODEL, run.id) == number
    registry.promote(MODEL, 1, {}, against=None)
    registry.promote(MODEL, 2, {}, against=1)
    registry.keep(MODEL, 3, refuse("ndcg@10 is worse: failed").tags(), against=2)
    return folder


@pytest.fixture
def store(registered, tmp_path):
    """A copy, open."""
    shutil.copytree(registered, tmp_path / "store", ignore=shutil.ignore_patterns("artifacts", "work"))
    tracking.open_store(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def recsys(store, monkeypatch, capsys):
    """Exit code, stdout and stderr of `recsys WORDS --store STORE`."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["recsys", *words, "--store", str(store)])
        code = cli.main()
        return (code, *capsys.readouterr())

    return run


def aliases():
    return {alias: one.number for one in registry.versions(MODEL) for alias in one.aliases}


def tags(number):
    return {one.number: one.tags for one in registry.versions(MODEL)}[number]


def moves():
    return [(one.kind, one.old, one.new, one.why) for one in registry.history(MODEL)]


FIRST = [("gate", None, 1, None), ("gate", 1, 2, None)]


STALE = " is stale: it learnt from a user who was forgotten. Replace it soon: recsys retrain CONFIG\n"


@pytest.mark.parametrize(
    ("number", "words"), [(1, ["rollback"]), (3, ["promote", "--model", "recsys-toy/3", "--force", "--why", "we must"])]
)
def test_who_brings_back_a_stale_version_is_told(recsys, number, words):
    (version,) = (one for one in registry.versions(MODEL) if one.number == number)
    stale.mark(version, "it learnt from a user who was forgotten")
    code, out, _ = recsys(*words)
    assert (code, aliases()["champion"]) == (0, number)
    assert out.endswith(f"Version {number}{STALE}")


class TestForced:
    def test_a_version_by_decision_of_a_person(self, recsys):
        words = ("promote", "--model", "recsys-toy/3", "--force", "--why", " the shop   needs it ")
        code, out, err = recsys(*words)
        assert (code, err) == (0, "")
        assert out == (
            "recsys-toy: version 3 is champion by your decision, in place of version 2\n"
            "The gate had said: ndcg@10 is worse: failed\n"
        )
        assert aliases() == {"champion": 3, "previous": 2}
        said = tags(3)
        assert (said["promotion.forced"], said["promotion.why"]) == ("true", "the shop needs it")
        assert said["promotion.promoted"] == "false", "what the gate said stays"
        assert tags(2)["promotion.replaced_by"] == "3"
        assert moves() == [*FIRST, ("forced", 2, 3, "the shop needs it")]
        code, out, _ = recsys(*words)
        assert (code, out) == (0, "recsys-toy: version 3 is the champion already; nothing was changed\n")
        assert len(moves()) == 3

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--model", "recsys-toy/3"), "the gate decides who becomes champion: recsys run CONFIG makes"),
            (("--model", "recsys-toy/3", "--why", "x"), "the gate decides who becomes champion"),
            (("--model", "recsys-toy/3", "--force"), "--force needs --why TEXT"),
            (("--model", "recsys-toy/3", "--force", "--why", " "), "--force needs --why TEXT"),
            (("--model", "recsys-toy/3", "--force", "--why", 2001 * "x"), "--why has 2,001 characters; allowed: 2,000"),
            (("--force", "--why", "x"), "which version? Give --model models:/NAME/NUMBER"),
            (("--model", "recsys-toy/9", "--force", "--why", "x"), "no version of recsys-toy is '9'"),
        ],
    )
    def test_wrong_input_changes_nothing(self, recsys, words, message):
        before = aliases()
        code, out, err = recsys("promote", *words)
        assert (code, out) == (2, "")
        assert err.startswith(f"recsys: {message}")
        assert aliases() == before
        assert moves() == FIRST

    def test_the_gate_that_promotes_a_version_later_takes_its_word_for_it(self, store):
        registry.promote(MODEL, 3, {}, against=2, why="asked")
        registry.rollback(MODEL)
        registry.promote(MODEL, 3, {"promotion.promoted": "true"}, against=2)
        assert "promotion.forced" not in tags(3)
        assert registry.withdrawn(MODEL) == {}


class TestRollback:
    def test_it_leaves_a_record(self, recsys):
        code, out, _ = recsys("rollback", "--why", "clicks fell")
        assert (code, out) == (0, "recsys-toy: version 1 is champion again, in place of version 2\n")
        assert aliases() == {"champion": 1, "previous": 2, "challenger": 3}
        for number in (1, 2):
            said = {name: text for name, text in tags(number).items() if name.startswith("rollback.")}
            assert said.pop("rollback.time") > "2020"
            assert said == {"rollback.from": "2", "rollback.to": "1", "rollback.why": "clicks fell"}
        assert moves() == [*FIRST, ("rollback", 2, 1, "clicks fell")]
        assert list(registry.withdrawn(MODEL)) == [2]

    def test_listed(self, recsys):
        recsys("rollback", "--why", "clicks fell")
        code, out, _ = recsys("history")
        assert code == 0
        rows = [[cell.strip() for cell in line.split("│")[2:6]] for line in out.splitlines() if "│" in line]
        assert rows == [["", "1", "gate", ""], ["1", "2", "gate", ""], ["2", "1", "rollback", "clicks fell"]]
        code, out, _ = recsys("history", MODEL, "--json")
        last = json.loads(out)[-1]
        assert last.pop("time") > "2020"
        assert (code, last) == (0, {"from": 2, "to": 1, "by": "rollback", "why": "clicks fell"})

    def test_no_such_model(self, recsys):
        code, out, err = recsys("history", "recsys-tow")
        assert (code, out, err[:45]) == (2, "", "recsys: no model is called 'recsys-tow': did ")

    def test_no_champion_yet(self, new_store, registered, monkeypatch, capsys):
        folder = new_store("fresh")
        run = tracking.start("toy", "run")
        registry.register(registered / "work" / "bundle", MODEL, run.id)
        monkeypatch.setattr(sys, "argv", ["recsys", "history", "--store", str(folder)])
        assert cli.main() == 0
        assert capsys.readouterr().out.startswith("recsys-toy has had no champion yet; ")


class TestKilled:
    """The champion moves, then `previous`. The same command again ends it."""

    def killed(self, store, before, *words):
        command = [sys.executable, "-c", KILLED.replace("KILL_BEFORE", str(before)), *words, "--store", str(store)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr

    FORCED = ("promote", "--model", "recsys-toy/3", "--force", "--why", "asked")

    @pytest.mark.parametrize(("before", "now", "log"), [(1, 2, FIRST), (2, 3, [*FIRST, ("forced", 2, 3, "asked")])])
    def test_forced(self, recsys, store, before, now, log):
        self.killed(store, before, *self.FORCED)
        assert aliases()["champion"] == now
        assert moves() == log, "what did not happen is not in the log"
        assert recsys(*self.FORCED)[0] == 0
        assert aliases() == {"champion": 3, "previous": 2}
        assert moves() == [*FIRST, ("forced", 2, 3, "asked")]

    @pytest.mark.parametrize(("before", "back"), [(1, 1), (2, 2)])
    def test_forced_and_taken_back(self, recsys, store, before, back):
        """Whichever of the two was champion, the one before it is not lost."""
        self.killed(store, before, *self.FORCED)
        assert recsys("rollback")[0] == 0
        assert aliases()["champion"] == back

    @pytest.mark.parametrize(("before", "now", "log"), [(1, 2, FIRST), (2, 1, [*FIRST, ("rollback", 2, 1, None)])])
    def test_rollback(self, recsys, store, before, now, log):
        self.killed(store, before, "rollback")
        assert aliases()["champion"] == now
        assert moves() == log
        code, out, _ = recsys("rollback")
        assert (code, out) == (0, "recsys-toy: version 1 is champion again, in place of version 2\n")
        assert aliases() == {"champion": 1, "previous": 2, "challenger": 3}
        assert moves() == [*FIRST, ("rollback", 2, 1, None)]


def test_everything_on_the_page(recsys):
    commands = SHOWN.findall(SECTION)
    assert [words.split()[0] for words, _ in commands] == ["rollback", "promote", "promote", "history"]
    for words, shown in commands:
        code, out, err = recsys(*shlex.split(words))
        assert code == (2 if shown.startswith("recsys: ") else 0)
        printed = MOMENT.sub("2026-01-01T00:00:00+00:00", out + err)
        assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
