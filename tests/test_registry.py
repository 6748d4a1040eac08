"""The registry on a real store: versions, promotion, rollback, races, deleted versions."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from recsys import registry, tracking
from recsys.errors import InputError
from recsys.promotion import refuse
from recsys.serving.bundle import Bundle
from tests.servers import Mlflow

VERDICT = refuse("champion v1 reaches into the test window").tags()


@pytest.fixture(scope="module")
def registered(toy_bundle, fresh_database, tmp_path_factory):
    """A store with three versions of `recsys-toy`, none promoted; to be copied."""
    folder = tmp_path_factory.mktemp("registered") / "store"
    folder.mkdir()
    shutil.copy(fresh_database, folder)
    tracking.open_store(folder)
    run = tracking.start("toy", "run")
    toy_bundle(folder / "work" / "bundle-0a")
    numbers = [registry.register(folder / "work" / "bundle-0a", "recsys-toy", run.id, {"n": n}) for n in (1, 2, 3)]
    assert numbers == [1, 2, 3]
    return folder


@pytest.fixture
def store(registered, tmp_path):
    """A copy: its artifacts still lie where they were registered."""
    shutil.copytree(registered, tmp_path / "store", ignore=shutil.ignore_patterns("artifacts", "work"))
    tracking.open_store(tmp_path / "store")
    return tmp_path / "store"


def aliases():
    return {alias: one.number for one in registry.versions("recsys-toy") for alias in one.aliases}


def tags(number):
    return {one.number: one.tags for one in registry.versions("recsys-toy")}[number]


def test_an_empty_registry(new_store):
    new_store("empty")
    assert registry.versions() == []
    assert registry.champion("recsys-toy") is None


def test_what_a_version_says_and_holds(store):
    *_, last = registry.versions("recsys-toy")
    assert (last.model, last.number, last.aliases, last.tags["n"]) == ("recsys-toy", 3, ("challenger",), "3")
    assert last.uri == "models:/recsys-toy/3"
    assert tracking.client().get_run(last.run_id).info.run_name == "run"
    bundle = Bundle.load(registry.download(last))
    assert bundle.manifest.name == "toy"
    assert len(bundle.data.interactions) == 480
    assert registry.versions("nothing") == []


def test_the_first_promotion(store):
    assert registry.promote("recsys-toy", 2, VERDICT, against=None) is None
    assert aliases() == {"champion": 2, "challenger": 3}
    assert registry.champion("recsys-toy") == 2
    assert tags(2)["promotion.reasons"] == "champion v1 reaches into the test window"
    assert tags(2)["promotion.replaced"] == "none"


def test_a_later_promotion_keeps_the_old_champion_as_previous(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    assert registry.promote("recsys-toy", 3, VERDICT, against=1, why="asked by hand") == 1
    assert aliases() == {"champion": 3, "previous": 1}
    assert (tags(3)["promotion.replaced"], tags(3)["promotion.why"]) == ("1", "asked by hand")
    assert tags(1)["promotion.replaced_by"] == "3"


def test_promoting_twice_is_promoting_once(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 3, {}, against=1)
    before = tags(3)
    assert registry.promote("recsys-toy", 3, {"again": 1}, against=1) == 1
    assert aliases() == {"champion": 3, "previous": 1}
    assert tags(3) == before


def test_a_champion_that_changed_meanwhile_is_not_replaced(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 2, {}, against=1)
    with pytest.raises(
        registry.ChampionChangedError,
        match="version 3 of recsys-toy was judged against version 1, but the champion is now version 2: judge again",
    ):
        registry.promote("recsys-toy", 3, {}, against=1)
    assert aliases() == {"champion": 2, "previous": 1, "challenger": 3}


def test_a_refused_challenger_keeps_its_reasons(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.keep("recsys-toy", 3, VERDICT)
    assert aliases() == {"champion": 1, "challenger": 3}
    assert tags(3)["promotion.promoted"] == "false"
    assert tags(3)["promotion.time"] > "2020"


def test_rollback_swaps_and_swaps_back(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 3, {}, against=1)
    assert registry.rollback("recsys-toy") == (3, 1)
    assert aliases() == {"champion": 1, "previous": 3}
    assert (tags(1)["rollback.from"], tags(3)["rollback.to"]) == ("3", "1")
    assert registry.rollback("recsys-toy") == (1, 3)
    assert aliases() == {"champion": 3, "previous": 1}


def test_rollback_without_anything_to_go_back_to(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    with pytest.raises(
        InputError,
        match=r"recsys-toy has no previous champion to go back to; versions: recsys-toy 1 \(champion\), recsys-toy 2",
    ):
        registry.rollback("recsys-toy")
    with pytest.raises(InputError, match=r"no model is called 'recsys-toi': did you mean 'recsys-toy'\?"):
        registry.rollback("recsys-toi")


def test_deleted_versions(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 2, {}, against=1)
    tracking.client().delete_model_version("recsys-toy", "2")
    assert aliases() == {"previous": 1, "challenger": 3}
    assert registry.champion("recsys-toy") is None
    assert registry.rollback("recsys-toy") == (None, 1)
    assert aliases() == {"champion": 1, "challenger": 3}
    tracking.client().delete_model_version("recsys-toy", "1")
    with pytest.raises(InputError, match="no previous champion"):
        registry.rollback("recsys-toy")


def test_a_name_no_model_can_have(store, registered):
    run = tracking.start("toy", "run")
    with pytest.raises(InputError, match="no model can be called 'a/b'"):
        registry.register(registered / "work" / "bundle-0a", "a/b", run.id)


PROMOTE = """
import json, sys
from recsys import registry, tracking
tracking.open_store(sys.argv[1])
answers = []
for number in map(int, sys.argv[2:]):
    against = registry.champion("recsys-toy")
    try:
        answers.append([number, registry.promote("recsys-toy", number, {}, against=against)])
    except registry.ChampionChangedError:
        answers.append([number, "changed"])
print(json.dumps(answers))
"""


def test_two_processes_promote_at_once_and_no_promotion_is_lost(store):
    registry.promote("recsys-toy", 1, {}, against=None)
    orders = (["2", "3"] * 2, ["3", "2"] * 2)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTE, str(store), *order], stdout=subprocess.PIPE, env=os.environ.copy()
        )
        for order in orders
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [len(answer) for answer in answers] == [4, 4]
    now = aliases()
    # Whoever came last, champion and previous are the two that changed places.
    assert {now["champion"], now["previous"]} == {2, 3}
    assert tags(now["previous"])["promotion.replaced_by"] == str(now["champion"])
    assert tags(now["champion"])["promotion.replaced"] == str(now["previous"])


LOOK = """
import sys
from pathlib import Path
from recsys import registry, tracking
from recsys.serving.bundle import Bundle
tracking.open_store(sys.argv[1])
(version,) = registry.versions()
bundles = [Bundle.load(registry.download(version)) for _ in range(2)]
assert bundles[0].folder == bundles[1].folder, "it was fetched twice"
assert bundles[0].serving.name == "ease"
print(bundles[0].folder)
"""


def test_a_bundle_from_a_server_is_fetched_once_and_gone_with_the_process(toy_bundle, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    for folder in ("server", "temporary"):
        (tmp_path / folder).mkdir()
    with Mlflow(tmp_path / "server") as server:
        monkeypatch.setenv(tracking.URI, server.url)
        tracking.open_store(tmp_path / "store")
        toy_bundle(tmp_path / "bundle")
        registry.register(tmp_path / "bundle", "recsys-toy", tracking.start("toy", "run").id)
        command = [sys.executable, "-c", LOOK, str(tmp_path / "store")]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(temporary))
    assert list(temporary.iterdir()) == []
