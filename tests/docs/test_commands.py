"""Every command that README and docs tell people to type is run by a test: which one, and that it is still there.

A test that reads the commands from the page runs all of a section. What no test can type as it stands, because of a
fixed port or a download, is listed with the test that runs the same; and what no test runs, with the reason.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docker/README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
PROGRAMS = (
    *("recsys", "make", "prefect", "mlflow", "curl", "pip", "python", "pytest"),
    *("docker", "supervisorctl", "pg_dump", "pg_restore", "cp", "rm"),
)

READS = {
    "docs/adding-a-model.md": "tests/docs/test_adding_a_model.py",
    "docs/backup.md": "tests/docs/test_backup.py",
    "docs/broken-inputs.md": "tests/test_broken_inputs.py",
    "docs/feedback.md": "tests/feedback/test_page.py",
    "docs/loop.md#Feedback in": "tests/flows/test_ingest.py",
    "docs/loop.md#Serving in batches and watching": "tests/flows/test_batch_recommend.py",
    "docs/loop.md#By hand": "tests/cli/test_promotion.py",
    "docs/operations.md#Deployments and schedules": "tests/flows/test_deployments.py",
    "docs/operations.md#Workers": "tests/flows/test_deployments.py",
    "docs/quickstart.md#Ask the champion": "tests/docs/test_newcomer.py",
    "docs/retention.md": "tests/cli/test_prune.py",
    "docs/stack.md#On this machine": "tests/flows/stack/test_run.py",
    "docs/stack.md#Back up and restore": "tests/flows/stack/test_run.py",
    "docs/stack.md#Upgrading": "tests/flows/stack/test_run.py",
    "docs/upgrade.md": "tests/docs/test_upgrade.py",
    "docs/your-data.md#The log": "tests/docs/test_newcomer.py",
}
"""Page, or a section of it -> the tests that read its commands there and run them."""

SAME = {
    "make demo": ("tests/flows/test_train.py", '"run", "tiny.toml", "--report"'),
    "make stack": ("tests/test_repository.py", 'would_run("stack"'),
    "make deploy": ("tests/flows/stack/test_run.py", "make deploy CONFIG=my-shop.toml"),
    "make stack AUTH=1": ("tests/flows/stack/test_run.py", '"--auth"'),
    "make ui": ("tests/docs/test_newcomer.py", '"--dry-run", "ui"'),
    "recsys validate my-shop.toml": ("tests/docs/test_newcomer.py", 'typed("your-data.md"'),
    "recsys run my-shop.toml": ("tests/flows/test_train.py", '"run", "tiny.toml"'),
    "prefect worker start --pool recsys": ("tests/flows/test_deployments.py", "def test_a_worker_runs_what_is_due"),
    "prefect server start": ("tests/servers.py", '"prefect", "server", "start"'),
    "mlflow models serve -m models:/recsys-movielens-100k@champion --env-manager local --port 5001": (
        "tests/serving/test_pyfunc_model.py",
        '"models", "serve", "-m", "models:/recsys-toy@champion"',
    ),
    "curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d '": (
        "tests/serving/test_pyfunc_model.py",
        '{"user_id": "guest", "history": [101, 102]}',
    ),
    "recsys feedback add events.csv": ("tests/feedback/test_command.py", '"add"'),
}
"""Line -> the file in which the same is run, and words by which it is found there."""

NOT_RUN = {
    "make test": "what runs the tests",
    "pip install -c constraints.txt -e '.[postgres]'": "downloads; the extra is installed where the tests run",
    "docker": "is not where the tests run; tests/docker checks its files, and what they start runs as plain processes",
}
"""Line, or a program -> why no test runs it."""


def commands():
    """(page, heading, line) of everything that somebody could type."""
    for page in PAGES:
        heading, language = "", None
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
            if fence := re.match(r" *```(.*)$", line):
                language = fence[1] if language is None else None
            elif language is None and line.startswith("#"):
                heading = line.lstrip("# ")
            elif language == "" or (language == "console" and line.startswith("$ ")):
                typed = re.sub(r"^(\w+=\S+ )+", "", line.removeprefix("$ ").partition("  #")[0].strip())
                if re.match(rf"({'|'.join(PROGRAMS)}|for name in .*) ", f"{typed} "):
                    yield page, heading, typed


COMMANDS = list(commands())


@pytest.mark.parametrize("page", sorted({page for page, _, _ in COMMANDS}))
def test_every_command_is_run_by_a_test(page):
    unknown = [
        (heading, line)
        for where, heading, line in COMMANDS
        if where == page
        and not {page, f"{page}#{heading}"} & READS.keys()
        and not {line, line.split()[0]} & (SAME.keys() | NOT_RUN.keys())
    ]
    assert unknown == []


@pytest.mark.parametrize(("place", "test"), READS.items())
def test_the_test_reads_the_page(place, test):
    page, _, heading = place.partition("#")
    text = (ROOT / test).read_text(encoding="utf-8")
    assert Path(page).name in text
    assert "findall" in text or "finditer" in text
    assert any(where == page and heading in ("", found) for where, found, _ in COMMANDS), f"{place} has no commands"


@pytest.mark.parametrize("line", SAME)
def test_the_same_is_run_elsewhere(line):
    file, words = SAME[line]
    assert words in (ROOT / file).read_text(encoding="utf-8")


def test_what_is_listed_stands_on_a_page():
    assert SAME.keys() | NOT_RUN.keys() <= {words for _, _, line in COMMANDS for words in (line, line.split()[0])}
