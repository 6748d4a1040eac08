"""`recsys ingest` as docs/loop.md shows it: feedback joins the log, on a Prefect server; and what it refuses."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from recsys.feedback.database import URL

PAGE = (Path(__file__).parents[2] / "docs" / "loop.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^## Feedback in$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = "import sys; from flows.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def shop(tmp_path_factory, prefect_server):
    """A folder with the files of the page in which its commands were typed, and what they said."""
    folder = tmp_path_factory.mktemp("shop")
    for name, content in FILE.findall(SECTION):
        (folder / name).write_text(content, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", URL))}

    def recsys(words):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *words.split()],
            cwd=folder,
            env=inherited | {"PREFECT_API_URL": prefect_server.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    said = [(words, shown, recsys(words)) for words, shown in SHOWN.findall(SECTION)]
    return SimpleNamespace(folder=folder, said=said, recsys=recsys, url=prefect_server.url)


def test_everything_on_the_page(shop):
    assert [words for words, *_ in shop.said] == ["feedback add events.csv", "ingest shop.toml", "ingest shop.toml"]
    for _, shown, done in shop.said:
        assert (done.returncode, done.stdout.replace(str(shop.folder), "FOLDER")) == (0, shown), done.stderr
    assert "starting Prefect" not in shop.said[2][2].stderr, "nothing new needs none"
    assert (shop.folder / "mlruns/ingested/shop/up-to-000000000004.parquet").is_file()


def test_the_run_page_tells_the_counts(shop):
    asked = {"artifacts": {"key": {"any_": ["ingest"]}}}
    request = urllib.request.Request(
        f"{shop.url}/artifacts/filter", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        artifacts = json.load(answer)
    # Other tests have this server ingest as well, of a shop where every type counts.
    rejected = "| rejected: not so that event_type has a weight | 1 | 1 |"
    told = [one for one in artifacts if "| drained | 4 | 4 |" in one["data"] and rejected in one["data"]]
    assert {one["description"] for one in told} == {"2 of 4 new events accepted"}


def test_a_refused_batch_is_wrong_input(shop):
    event = {"user_id": "guest-7", "item_id": "10", "event_type": "view", "timestamp": 1700000100}
    lines = [json.dumps(event | {"event_id": f"x{number}"}) for number in range(6)]
    (shop.folder / "guest.jsonl").write_text("\n".join(lines))
    assert shop.recsys("feedback add guest.jsonl").returncode == 0
    done = shop.recsys("ingest shop.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "recsys: shop, feedback: 6 of 6 rows (100.0%) break a rule" in done.stderr
    assert "user_id='guest-7'" in done.stderr
    assert "None of these 6 events was ingested; they wait in the feedback store" in done.stderr
    assert "Traceback" not in done.stderr
    assert len([*(shop.folder / "mlruns/ingested/shop").glob("up-to-*")]) == 1


def test_a_configuration_that_is_not_there(shop):
    done = shop.recsys("ingest nowhere.toml")
    assert done.returncode == 2
    assert done.stderr.startswith("recsys: no configuration file at nowhere.toml")
