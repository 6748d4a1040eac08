"""`recsys batch-recommend` and `recsys monitor` as docs/loop.md shows them, on a Prefect server; what they refuse."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import cli
from recsys import tracking
from recsys.feedback.database import URL

PAGE = (Path(__file__).parents[2] / "docs" / "loop.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^## Serving in batches and watching$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = "import sys; from flows.cli import main; sys.exit(main())"


@pytest.fixture
def page(toy, prefect_server, monkeypatch):
    """A folder with `toy.toml` and its champions, and the files of the page; commands can be typed in it."""
    for name, content in FILE.findall(SECTION):
        (toy / name).write_text(content, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", URL))}

    def recsys(words):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *words.split()],
            cwd=toy,
            env=inherited | {"PREFECT_API_URL": prefect_server.url, "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    return SimpleNamespace(folder=toy, recsys=recsys, url=prefect_server.url)


def artifact(url, key):
    asked = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"}
    request = urllib.request.Request(
        f"{url}/artifacts/filter", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def plain(text, folder):
    text = re.sub(r"(v2-k3-)[0-9a-f]{8}\b", r"\1DIGEST", text.replace(str(folder), "FOLDER"))
    text = re.sub(r" to \d{4}-\d\d-\d\dT[\d:]+\+00:00", " to NOW", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def test_everything_on_the_page(page):
    commands = SHOWN.findall(SECTION)
    for words, shown in commands:
        done = page.recsys(words)
        assert (done.returncode, plain(done.stdout, page.folder)) == (0, shown), done.stderr
        assert not re.search("warning|traceback|error", done.stderr, re.IGNORECASE)
    assert [words.split()[0] for words, _ in commands] == ["batch-recommend", "batch-recommend", "feedback", "monitor"]

    again, first = (one["data"] for one in artifact(page.url, "batch")[:2])
    assert again.startswith("*Unchanged since an earlier run, re-used.*")
    assert "| rows | 180, 3 a user at most |" in first
    written = (page.folder / "store/monitor/recsys-toy/monitor.md").read_text(encoding="utf-8")
    (told,) = (one for one in artifact(page.url, "monitor") if one["data"] == written)  # others share the server
    assert told["description"].startswith("5 impressions and 3 responses from 2023-11-01")

    tracking.open_store(page.folder / "store")
    experiment = tracking.client().get_experiment_by_name("toy")
    runs = tracking.client().search_runs([experiment.experiment_id], "tags.role = 'monitor'")
    numbers = json.loads((page.folder / "store/monitor/recsys-toy/monitor.json").read_text(encoding="utf-8"))
    (run,) = runs
    assert run.info.status == "FINISHED"
    assert run.data.metrics["v2/click_through"] == numbers["versions"][1]["click_through"]["value"] == 0.25
    assert run.data.metrics["drift/popularity_shift"] == numbers["drift"]["popularity_shift"]


class TestWrongInput:
    """Told before Prefect starts, and nothing is written."""

    @pytest.fixture
    def ask(self, toy, monkeypatch, capsys):
        monkeypatch.chdir(toy)
        monkeypatch.delenv(URL, raising=False)

        def asked(*words):
            monkeypatch.setattr(sys, "argv", ["recsys", *words])
            code = cli.main()
            return code, *capsys.readouterr()

        return asked

    def test_no_store(self, ask, toy):
        code, out, err = ask("batch-recommend", "toy.toml", "--set", 'store="none"')
        assert (code, out) == (2, "")
        assert err.startswith(f"recsys: no store at {toy}/none; make one with recsys run CONFIG")
        assert not (toy / "none").exists()

    def test_no_champion(self, ask, toy):
        code, out, err = ask("batch-recommend", "toy.toml", "--set", 'promotion.model_name="other"')
        assert (code, out) == (2, "")
        assert err.startswith("recsys: other has no champion to answer; make one with recsys run CONFIG")
        assert not (toy / "store" / "recommendations").exists()

    def test_no_such_version(self, ask):
        code, _, err = ask("batch-recommend", "toy.toml", "--model", "models:/recsys-toy/7")
        assert code == 2
        assert "no version of recsys-toy is '7'; there are: recsys-toy 1 (previous), recsys-toy 2 (champion)" in err

    def test_no_items(self, ask):
        assert ask("batch-recommend", "toy.toml", "-k", "0")[0] == 2

    def test_no_moment(self, ask, toy):
        code, out, err = ask("monitor", "toy.toml", "--since", "yesterday")
        assert (code, out) == (2, "")
        assert err.startswith(
            "recsys: 'yesterday' is no moment from 1970 to now; allowed: seconds since 1970, or ISO 8601"
        )
        assert not (toy / "store" / "feedback.db").exists()

    def test_no_feedback_is_a_normal_answer(self, ask, toy):
        code, out, _ = ask("monitor", "toy.toml", "--since", "2023-11-01")
        assert (code, out) == (
            0,
            "toy: no feedback since 2023-11-01T00:00:00+00:00; recsys feedback add FILE adds what was shown and what "
            "came of it\n",
        )
        code, out, _ = ask("monitor", "toy.toml", "--json")
        assert (code, json.loads(out)["versions"]) == (0, [])
        assert not (toy / "store" / "feedback.db").exists()
