"""Ten kinds of broken input: what `docs/broken-inputs.md` shows is what happens, and nothing is left half-written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recsys import cli

PAGE = (Path(__file__).parents[1] / "docs" / "broken-inputs.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BEFORE, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
KINDS = {text.partition("\n")[0]: text for text in SECTIONS}


def write(text, folder):
    """The files that a part of the page shows."""
    for name, content in FILE.findall(text):
        (folder / name).write_text(content, encoding="utf-8")


def as_shown(text, folder):
    """What differs from machine to machine and from version to version has a word of its own on the page."""
    return re.sub(r"(?<=validated/)[0-9a-f]{16}", "DIGEST", text.replace(str(folder), "FOLDER"))


def left_behind(folder):
    """Files under the store; of a validation report only its page."""
    store = folder / "mlruns"
    found = [path.relative_to(store) for path in store.rglob("*") if path.is_file()]
    return sorted(str(path) for path in found if "data_docs" not in path.parts)


def test_the_page_shows_ten_kinds():
    assert len(KINDS) == len(SECTIONS) == 10
    for kind, text in KINDS.items():
        assert len(FILE.findall(text)) >= 1, kind
        assert len(SHOWN.findall(text)) == 1, kind


@pytest.mark.parametrize("kind", KINDS)
def test_one_clear_message_and_nothing_half_written(kind, tmp_path, monkeypatch, capsys):
    write(BEFORE, tmp_path)
    write(KINDS[kind], tmp_path)
    ((words, shown),) = SHOWN.findall(KINDS[kind])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["recsys", *words.split()])
    assert cli.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert as_shown(err, tmp_path) == shown
    assert re.findall(r"^recsys: ", err, re.MULTILINE) == ["recsys: "]
    report = re.findall(r"^Report: (.*)$", err, re.MULTILINE)
    assert left_behind(tmp_path) == [str(Path(page).relative_to(tmp_path / "mlruns")) for page in report]


def test_recsys_run_stops_with_the_same_message(tmp_path, prefect_server):
    """Through the flow: the terminal shows the error of the data alone, and nothing of Prefect's."""
    kind = next(text for name, text in KINDS.items() if name.endswith("Null ids"))
    write(BEFORE, tmp_path)
    write(kind, tmp_path)
    ((_, shown),) = SHOWN.findall(kind)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())", "run", "shop.toml"],
        cwd=tmp_path,
        env={**os.environ, "PREFECT_API_URL": prefect_server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    progress, message = done.stderr.split("recsys: ")
    assert as_shown(f"recsys: {message}", tmp_path) == shown
    lines = [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in progress.splitlines()]
    assert lines == ["starting Prefect and MLflow …", "validation: 3 events read"]
    kept = [path for path in left_behind(tmp_path) if not path.startswith((".", "prefect/", "mlflow.db"))]
    assert [Path(path).name for path in kept] == ["validation.html"]
