"""`recsys prune` by command, as docs/retention.md shows it: told, removed, listed; wrong input."""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from recsys import cli, registry, tracking

PAGE = (Path(__file__).parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^```console\n\$ recsys (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
DAY = 86_400


@pytest.fixture
def recsys(tmp_path, monkeypatch, capsys):
    """Exit code, stdout and stderr of `recsys WORDS`, in a folder with `shop.toml`."""
    monkeypatch.setenv("COLUMNS", "118")
    monkeypatch.chdir(tmp_path)
    Path("shop.toml").write_text('[data]\npath = "events.csv"\n')

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["recsys", *words])
        code = cli.main()
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def store(recsys, fresh_database, toy_bundle):
    """Two results, one of them old; seven versions, each of a run, the second the champion; an old replay."""
    folder = Path("mlruns").absolute()
    folder.mkdir()
    shutil.copy(fresh_database, folder)
    tracking.open_store(folder)
    toy_bundle(folder.parent / "bundle")
    for number in range(1, 8):
        run = tracking.start("shop", f"shop {number}", {"role": "pipeline"})
        run.finish()
        assert registry.register(folder.parent / "bundle", "recsys-shop", run.id) == number
    registry.promote("recsys-shop", 2, {}, against=None)
    for name, days in (("work/prepared/0a", 1), ("work/prepared/0b", 15), ("backtest/shop-0c", 15)):
        (folder / name).mkdir(parents=True)
        (folder / name / "log.npy").write_bytes(bytes(40_000))
        os.utime(folder / name, (time.time() - days * DAY,) * 2)
    return folder


def everything(store):
    return sorted(path for path in store.rglob("*") if not path.name.endswith(".lock"))


def steady(text):
    """Sizes depend on the code that goes into a bundle; titles are filled up with spaces."""
    return re.sub(r" +$", "", re.sub(r"(\d+\.\d) (MiB|│)", r"x.x \2", text), flags=re.MULTILINE)


def test_told_then_removed_as_the_page_shows(recsys, store, caplog):
    (telling, told), (removing, removed) = SHOWN.items()
    before = everything(store)
    code, out, _ = recsys(*telling.split())
    assert (code, steady(out)) == (0, steady(told)), out
    assert everything(store) == before
    code, out, _ = recsys(*removing.split())
    assert (code, steady(out)) == (0, steady(removed)), out
    assert [line.partition(" is gone")[0] for line in caplog.messages if line.startswith("prune")] == [
        "prune: replay backtest/shop-0c",
        "prune: result work/prepared/0b",
        "prune: version recsys-shop 1",
    ]
    assert [one.number for one in registry.versions()] == [2, 3, 4, 5, 6, 7]
    code, out, _ = recsys("prune", "shop.toml")
    assert (code, out.splitlines()[-1]) == (0, "There is nothing to remove")


def test_every_item_with_its_reason(recsys, store):
    code, out, _ = recsys("prune", "shop.toml", "--json", "--set", "retention.versions=0", "--set", "retention.runs=2")
    items = {(one["kind"], one["name"].partition(":")[0]): one["stays"] for one in json.loads(out)}
    assert code == 0
    assert items["result", "work/prepared/0a"] == "in use"
    assert items["result", "work/prepared/0b"] is None
    assert items["version", "recsys-shop 2 (champion)"] == "has an alias"
    assert items["version", "recsys-shop 6"] is None
    runs = [stays for (kind, _), stays in items.items() if kind == "pipeline run"]
    assert sorted(map(str, runs)) == ["None"] * 4 + ["among the newest", "made recsys-shop 2", "made recsys-shop 7"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prune", "no.toml"], "no configuration file at no.toml"),
        (["prune", "shop.toml"], "no store at "),
        (
            ["prune", "shop.toml", "--set", "retention.version=3"],
            "unknown key 'retention.version': did you mean 'versions'",
        ),
        (
            ["prune", "shop.toml", "--set", "retention.runs=0"],
            "retention.runs: Input should be greater than or equal to 1",
        ),
        (["prune", "shop.toml", "--set", "retention.days=0"], "retention.days: Input should be greater than 0"),
    ],
)
def test_wrong_input_removes_nothing(recsys, tmp_path, words, message):
    code, out, err = recsys(*words, "--yes")
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["shop.toml"]
