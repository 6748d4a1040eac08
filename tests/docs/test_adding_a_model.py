"""docs/adding-a-model.md: what it says, done in a copy of the project; its model keeps the contract of every model."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
((FILE, MODEL),) = re.findall(r"^`([\w/.]+)`:\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(CONTRACT,) = re.findall(r"^```\npytest (.*)\n```$", PAGE, re.MULTILINE)
PLACES = re.findall(r"^\| `([\w/.-]+)` \|", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project with the model of the page, and its name in the places that the page lists."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("recsys", "configs", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / FILE).write_text(MODEL, encoding="utf-8")
    table, sections, own_data = (folder / place for place in PLACES)
    replace(
        table,
        ("from recsys.models.base", "from recsys.models.cosine import Cosine\nfrom recsys.models.base"),
        ("SASRec)}", "SASRec, Cosine)}"),
    )
    replace(sections, ('"sasrec"]', '"sasrec", "cosine"]'), ('"sasrec")', '"sasrec", "cosine")'))
    replace(own_data, ('"sasrec"]', '"sasrec", "cosine"]'))
    return folder


def replace(path, *changes):
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def run(copy, *words):
    """A module's command in the copy, which comes before the project that is installed."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_contract_holds_and_the_configuration_knows_it(copy):
    for words, least in ((CONTRACT.split(), 10), (("tests/models/test_table.py", "tests/test_configs.py"), 30)):
        said = run(copy, "pytest", *words, "-q", "-p", "no:cacheprovider")
        assert int(re.search(r"(\d+) passed", said)[1]) >= least


def test_it_reads_like_the_others(copy):
    run(copy, "ruff", "check", FILE)
    run(copy, "ruff", "format", "--check", FILE)
