"""Who knows of whom: peers nothing of the product, the product nothing of the bench."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "bench" / "peers").glob("*.py"))


def imported(path):
    """Modules a file imports, at the top or inside a function."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]


def reached(path):
    """Modules a file imports, and those that modules of the bench import for it."""
    found, left = set(), [path]
    while left:
        for name in set(imported(left.pop())) - found:
            found.add(name)
            file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
            if name.startswith("bench.") and file.is_file():
                left.append(file)
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_peer_knows_nothing_of_the_product(path):
    assert [name for name in reached(path) if name.split(".")[0] in ("recsys", "tasks", "flows")] == []


def test_what_is_imported_for_a_peer_is_looked_at_too():
    assert "recsys.stages.preprocess" in reached(ROOT / "bench" / "runner.py")  # through bench.sets


def test_the_product_knows_nothing_of_the_bench():
    files = [path for package in ("recsys", "tasks", "flows") for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 50
    assert [path.name for path in files if any(name.split(".")[0] == "bench" for name in imported(path))] == []


def test_every_script_of_a_peer_is_started_by_a_row():
    rows = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bench" / "rows").glob("*.py"))
    scripts = [path for path in SCRIPTS if "main(run)" in path.read_text(encoding="utf-8")]
    assert [path.stem for path in scripts if f'"{path.stem}"' not in rows] == []
