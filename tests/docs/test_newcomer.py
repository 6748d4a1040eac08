"""What README, docs/quickstart.md and docs/your-data.md tell a newcomer to type, typed."""

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

from recsys import cli
from tests.servers import Server, free_port, inherited

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECSYS = [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())"]


def fences(page):
    return re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def typed(page, *beginnings):
    """Lines of a page that begin like one of these."""
    lines = [line for language, text in fences(page) if not language for line in text.splitlines()]
    return [line for line in lines if line.startswith(beginnings)]


def test_the_champion_is_asked(toy, monkeypatch, capsys):
    (toy / "store").rename(toy / "mlruns")
    monkeypatch.chdir(toy)
    monkeypatch.setenv("COLUMNS", "160")
    for line, words in zip(
        typed("quickstart.md", "recsys "),
        ("toy: user 42", "toy: history 50,181", "Versions of recsys-toy"),
        strict=True,
    ):
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        assert cli.main() == 0
        assert words in capsys.readouterr().out


class Ui(Server):
    """`make ui` on another port, and of the environment of these tests."""

    def __init__(self, folder):
        self.port = free_port()
        (folder / ".ready").touch()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        asked = ["make", "--dry-run", "ui", f"VENV={folder}"]
        recipe = subprocess.run(asked, cwd=ROOT, env=clean, capture_output=True, text=True, check=True).stdout
        exported = dict(re.findall(r"^ui: export (\w+) = (\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert recipe.count("--port 5000") == 1
        command = recipe.replace("--port 5000", f"--port {self.port}").replace(
            f"{folder}/bin/mlflow", f"exec {sys.executable} -m mlflow"
        )
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        super().__init__(["sh", "-ec", command], folder, exported | {"PATH": path})

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return b"<title>MLflow</title>" in answer.read()
        except OSError:
            return False


def test_make_ui_shows_the_store(champions, tmp_path):
    (tmp_path / "mlruns").symlink_to(champions)
    with Ui(tmp_path) as ui:
        body = b'{"max_results": 10}'
        url = f"http://127.0.0.1:{ui.port}/api/2.0/mlflow/experiments/search"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert b'"toy"' in answer.read()


def test_make_ui_without_a_store_says_what_to_do(tmp_path):
    (tmp_path / ".ready").touch()
    command = ["make", "-f", ROOT / "Makefile", "ui", f"VENV={tmp_path}"]
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    os.utime(tmp_path / ".ready")
    done = subprocess.run(command, cwd=tmp_path, env=inherited(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing to show yet: mlruns/mlflow.db is missing; run make demo first" in done.stdout


def test_a_log_of_one_s_own(toy_events, prefect_server, tmp_path):
    """Its check and its quick look, from the five lines of the page; the search in full is that of tests/flows."""
    ((name, config),) = re.findall(
        r"^`([\w-]+\.toml)`, beside the file:\n\n```toml\n(.*?)^```$",
        (DOCS / "your-data.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    (tmp_path / name).write_text(config, encoding="utf-8")
    toy_events().to_csv(tmp_path / "events.csv", index=False)
    check, quick, _ = typed("your-data.md", "recsys ")
    for line, words in ((check, "the data contract holds for 480 of 480 rows"), (quick, "Hybrid weights: ")):
        done = subprocess.run(
            [*RECSYS, *shlex.split(line)[1:]],
            cwd=tmp_path,
            env=inherited() | {"PREFECT_API_URL": prefect_server.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
