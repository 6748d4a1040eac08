"""The command line as a person uses it: answers, exit codes, and what it says when the input is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys import cli
from recsys.serving.bundle import Bundle


def recsys(*words, capsys=None):
    """Exit code, stdout and stderr of `recsys WORDS`, in this process."""
    sys.argv = ["recsys", *map(str, words)]
    code = cli.main()
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(autouse=True)
def _words(monkeypatch):
    """The words of the command line come back after a test; tables are as wide as they like."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("COLUMNS", "160")


def test_help_answers_at_once_and_names_every_command():
    command = [sys.executable, "-c", "import sys; from recsys.cli import main; sys.exit(main())", "--help"]
    took = []
    for _ in range(5):  # the best, because others may be busy here
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took.append(time.perf_counter() - start)
    # 0.4 s on an idle machine; numpy, pandas or torch would show.
    assert min(took) < 2
    assert done.returncode == 0
    for command in ("validate", "recommend", "evaluate", "models", "rollback", "data"):
        assert command in done.stdout


def test_a_terminal_without_our_signs_is_answered():
    command = [sys.executable, "-c", "import sys; from recsys.cli import main; sys.exit(main())", "recommend", "--help"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, encoding="latin-1", env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ID,ID,?" in done.stdout


def test_help_imports_nothing_heavy():
    code = "import sys, recsys.cli; print({'numpy', 'pandas', 'torch', 'mlflow', 'prefect'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


class TestRecommend:
    def test_a_known_user(self, toy, capsys):
        code, out, _ = recsys("recommend", "--user", 1, "-k", 3, "--store", toy / "store", capsys=capsys)
        assert code == 0
        assert out.splitlines()[0].strip() == "toy: user 1"
        assert out.count("ease") == 3
        assert "popular" not in out

    def test_as_json(self, toy, capsys):
        words = ("recommend", "--user", 1, "-k", 3, "--json", "--store", toy / "store")
        code, out, _ = recsys(*words, capsys=capsys)
        rows = json.loads(out)
        assert code == 0
        assert list(rows[0]) == ["user_id", "item_id", "score", "rank", "source"]
        assert [row["rank"] for row in rows] == [1, 2, 3]
        assert all(113 <= row["item_id"] <= 124 for row in rows)

    def test_a_stranger_is_told_what_is_popular(self, toy, capsys):
        code, out, _ = recsys("recommend", "--user", "stranger", "--store", toy / "store", capsys=capsys)
        assert code == 0
        assert out.count("popularity") == 10
        assert out.endswith("Nothing usable is known about them: these are the popular items.\n")

    def test_a_history_and_a_model_by_name(self, toy, capsys):
        words = ("recommend", "--history", "101, 102,", "--model", "models:/recsys-toy@previous", "--json")
        code, out, _ = recsys(*words, "--store", toy / "store", capsys=capsys)
        assert code == 0
        assert {row["item_id"] for row in json.loads(out)} == set(range(103, 113))

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "recsys: whom to recommend for? Give --user ID, or --history ID,ID,… and not both\n"),
            (("--user", "1", "--history", "2"), "recsys: whom to recommend for? Give --user ID"),
            (("--user", "1", "-k", "0"), "recsys: k must be a whole number of at least 1; seen 0\n"),
            (("--user", "1", "--model", "recsys-toi"), "recsys: no model is called 'recsys-toi': did you mean"),
            (("--user", "1", "--model", "recsys-toy/7"), "recsys: no version of recsys-toy is '7'; there are: "),
        ],
    )
    def test_wrong_input(self, toy, capsys, words, message):
        code, out, err = recsys("recommend", *words, "--store", toy / "store", capsys=capsys)
        assert (code, out) == (2, "")
        assert err.startswith(message)
        assert "Traceback" not in err

    def test_no_store(self, tmp_path, capsys):
        code, _, err = recsys("recommend", "--user", 1, "--store", tmp_path / "no", capsys=capsys)
        assert code == 2
        assert err == (
            f"recsys: no store at {tmp_path}/no; make one with recsys run CONFIG, or name another: --store, "
            "or store in CONFIG\n"
        )
        assert not (tmp_path / "no").exists()


class TestModels:
    def test_versions_aliases_and_scores(self, toy, capsys):
        code, out, _ = recsys("models", "--store", toy / "store", capsys=capsys)
        assert code == 0
        title, _, names, _, *rows, _ = out.splitlines()
        assert title.strip() == "Versions of recsys-toy"
        assert "stale" not in names, "where none is, that is no column"
        first, second = ([cell.strip() for cell in line.strip("│").split("│")] for line in rows)
        assert first[:5] == ["1", "previous", "weighted", "all", "0.5000"]
        assert second[:2] == ["2", "champion"]

    def test_a_narrow_terminal_cuts_nothing_off(self, toy, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        _, out, _ = recsys("models", "--store", toy / "store", capsys=capsys)
        assert "champion" in out
        assert "weighted" in out
        assert "…" not in out

    def test_as_json(self, toy, capsys):
        code, out, _ = recsys("models", "--json", "--store", toy / "store", capsys=capsys)
        assert code == 0
        assert [(row["version"], row["aliases"]) for row in json.loads(out)] == [(1, "previous"), (2, "champion")]

    def test_none(self, new_store, capsys):
        code, out, _ = recsys("models", "--store", new_store("empty"), capsys=capsys)
        assert (code, out) == (0, "The registry has no versions yet; make one with: recsys run CONFIG\n")

    @pytest.mark.parametrize("name", ["o'brien", 'o\'brien "live"'])
    def test_quotes_are_a_name_like_any_other(self, toy, capsys, name):
        code, out, _ = recsys("models", name, "--store", toy / "store", capsys=capsys)
        assert (code, out) == (0, f"{name} has no versions yet; make one with: recsys run CONFIG\n")


class TestRollback:
    def test_there_and_back(self, toy, capsys):
        code, out, _ = recsys("rollback", "--store", toy / "store", capsys=capsys)
        assert (code, out) == (0, "recsys-toy: version 1 is champion again, in place of version 2\n")
        code, out, _ = recsys("rollback", "recsys-toy", "--store", toy / "store", capsys=capsys)
        assert (code, out) == (0, "recsys-toy: version 2 is champion again, in place of version 1\n")

    def test_nothing_to_go_back_to(self, toy, new_store, capsys):
        code, _, err = recsys("rollback", "recsys-tow", "--store", toy / "store", capsys=capsys)
        assert (code, err[:52]) == (2, "recsys: no model is called 'recsys-tow': did you mea")
        code, _, err = recsys("rollback", "--store", new_store("empty"), capsys=capsys)
        assert (code, err) == (2, "recsys: which model? Name one of: none is registered yet\n")


class TestEvaluate:
    def test_the_evaluated_model_on_the_test_it_never_saw(self, toy, capsys):
        code, out, err = recsys("evaluate", toy / "toy.toml", "--json", capsys=capsys)
        assert code == 0, err
        found = json.loads(out)
        assert (found["model"], found["users"]) == ("models:/recsys-toy/2", 60)
        assert found["judged"].startswith("its evaluated model, because the serving one was trained on the test")
        # Five items are left in everybody's camp, one of which is the test item.
        assert found["test"]["recall@10"] == 1.0

    def test_a_model_that_saw_the_test_is_not_scored(self, toy, toy_events, capsys):
        events = toy_events()
        events[events["timestamp"] < 70_000].to_csv(toy / "events.csv", index=False)
        code, out, err = recsys("evaluate", toy / "toy.toml", "--model", "recsys-toy/1", capsys=capsys)
        assert (code, out) == (2, "")
        assert err.endswith(
            "recsys: models:/recsys-toy/1 cannot be judged on the test of toy: it was trained on the test, even as it "
            "was evaluated: 60 of 60 test events. Bring newer events, or judge an older version "
            "(recsys models lists them)\n"
        )


class TestValidate:
    def test_good_data(self, toy, capsys):
        code, out, _ = recsys("validate", toy / "toy.toml", capsys=capsys)
        assert code == 0
        assert out.startswith("toy: the data contract holds for 480 of 480 rows\n")
        page = Path(out.splitlines()[-1].removeprefix("Report: "))
        assert page.name == "validation.html"
        assert page.is_relative_to(toy / "store")
        assert page.is_file()

    def test_bad_data(self, toy, capsys):
        words = ("--set", "validation.min_events=1000")
        code, out, err = recsys("validate", toy / "toy.toml", *words, capsys=capsys)
        assert (code, out) == (2, "")
        assert "recsys: toy: the data contract is broken" in err
        assert "Traceback" not in err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("nothing.toml",), "recsys: no configuration file at nothing.toml; configs/own-data.toml is one to start"),
            (("toy.toml", "--set", "tuning.trails=3"), "unknown key 'tuning.trails': did you mean 'trials'?"),
            (("toy.toml", "--set", "nonsense"), "recsys: --set 'nonsense': expected section.key=value"),
        ],
    )
    def test_wrong_configuration(self, toy, monkeypatch, capsys, words, message):
        monkeypatch.chdir(toy)
        code, out, err = recsys("validate", *words, capsys=capsys)
        assert (code, out) == (2, "")
        assert message in err


class TestFetch:
    def test_a_data_set_then_the_cache(self, tmp_path, capsys):
        words = ("data", "fetch", "synthetic?users=20&items=20&events=200", "--store", tmp_path)
        code, out, _ = recsys(*words, capsys=capsys)
        assert code == 0
        assert out.startswith("synthetic?users=20&items=20&events=200: fetched from the generator\n")
        assert Path(out.splitlines()[1].strip()).name == "events.csv"
        assert ": already there, from the generator\n" in recsys(*words, capsys=capsys)[1]

    def test_an_unknown_name(self, tmp_path, capsys):
        code, _, err = recsys("data", "fetch", "movielens-100", "--store", tmp_path, capsys=capsys)
        assert code == 2
        assert err.startswith("recsys: no data set is called 'movielens-100': did you mean 'movielens-100k'?")


class TestExitCodes:
    @pytest.mark.parametrize("words", [("recomend",), ("models", "--stroe", "x"), ("recommend", "-k", "many")])
    def test_usage(self, capsys, words):
        code, _, err = recsys(*words, capsys=capsys)
        assert code == 2
        assert "Usage: recsys" in err
        assert "Traceback" not in err

    def test_our_fault(self, toy, monkeypatch, capsys):
        def broken(*_):
            raise RuntimeError("the engine fell off")

        monkeypatch.setattr(Bundle, "load", broken)
        code, _, err = recsys("recommend", "--user", 1, "--store", toy / "store", capsys=capsys)
        assert code == 1
        first, second = err.splitlines()
        assert first == "recsys: our fault: RuntimeError: the engine fell off"
        log = Path(second.removeprefix("Traceback: "))
        assert 'raise RuntimeError("the engine fell off")' in log.read_text()
        log.unlink()

    def test_interrupted(self):
        quiet = "cli.app.app = lambda: (print('go', flush=True), time.sleep(60))"
        code = f"import sys, time; from recsys import cli; {quiet}"
        process = subprocess.Popen(
            [sys.executable, "-c", f"{code}; sys.exit(cli.main())"], stdout=subprocess.PIPE, env=os.environ.copy()
        )
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 130
