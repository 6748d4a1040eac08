"""Pruning a real store: what each rule leaves, a kill at any point, a training meanwhile, and an MLflow server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from filelock import FileLock

from recsys import registry, retention, tracking
from recsys.data.atomic import mark_used
from recsys.serving.bundle import Bundle
from recsys.stages import promote as gate
from recsys.stages.batch import recommend_all
from recsys.stages.prune import BATCH, REPLAY, RESULT, RUN, UNREGISTERED, VERSION, prune, rules, survey
from tests.servers import Mlflow

DAY = 86_400
PIPELINE, MONITOR = RUN.values()


def made(folder, days_ago, lock=True):
    """A folder of results as `new_folder` leaves it, used so many days ago."""
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    paths = [folder]
    if lock:
        paths.append(folder.with_name(f".{folder.name}.lock"))
        paths[1].touch()
    moment = time.time() - days_ago * DAY
    for path in paths:
        os.utime(path, (moment, moment))
    return folder


def grown_up(days, *folders):
    """As if nothing had used them for so many days."""
    moment = time.time() - days * DAY
    for folder in folders:
        for path in (folder, *folder.parent.glob(f".{folder.name}.*")):
            os.utime(path, (moment, moment))


def going(config):
    return [(item.kind, item.name) for item in survey(config) if item.stays is None]


def staying(config, kind):
    return {item.name: item.stays for item in survey(config) if item.kind == kind and item.stays}


def contents(folder):
    return sorted((path, path.stat().st_size) for path in folder.rglob("*") if not path.name.endswith(".lock"))


def pipeline_run(trials=2):
    """A pipeline run with a candidate and its trials, each with an artifact."""
    runs = [tracking.start("toy", "toy", {"role": "pipeline"})]
    runs.append(tracking.start("toy", "ease", {"role": "model"}, parent=runs[0]))
    runs += [tracking.start("toy", "trial", {"role": "trial"}, parent=runs[1]) for _ in range(trials)]
    for run in runs:
        run.log(metrics={"ndcg@10": 0.5})
        run.dict({"a": 1}, "some.json")
        run.finish()
    return runs[0]


def runs_of(experiment="toy"):
    where = tracking.client().get_experiment_by_name(experiment).experiment_id
    return {run.info.run_id for run in tracking.client().search_runs([where], run_view_type=3)}


class TestFolders:
    """Results, replays and batches: by when they were used last."""

    @pytest.fixture
    def folders(self, store):
        work = store / "work"
        (work / "accepted").mkdir(parents=True)
        (work / "accepted" / "toy").write_text("noted")
        made(work / "prepared" / "half", 40, lock=False).rename(work / "prepared" / ".half.draft")
        return SimpleNamespace(
            old=[
                made(work / "prepared" / "old", 15),
                made(work / "candidates" / "ease-old", 15, lock=False),
                made(store / "backtest" / "toy-0a", 15, lock=False),
                made(store / "recommendations" / "recsys-toy" / "v1-k3-0a", 15, lock=False),
            ],
            staying=[
                made(work / "prepared" / "noted", 40),
                made(work / "prepared" / "new", 13),
                made(work / "candidates" / "ease-new", 13, lock=False),
                made(store / "backtest" / "toy-0b", 13, lock=False),
                made(store / "recommendations" / "recsys-toy" / "v2-k3-0a", 40, lock=False),
            ],
        )

    @pytest.fixture
    def config(self, configure, store, folders):
        latest = store / "recommendations" / "recsys-toy" / "latest.json"
        latest.write_text(json.dumps({"folder": "v2-k3-0a"}))
        return configure(store=store)

    def test_telling_touches_nothing(self, config, store):
        before = contents(store)
        assert going(config) == [
            (BATCH, "recommendations/recsys-toy/v1-k3-0a"),
            (REPLAY, "backtest/toy-0a"),
            (RESULT, "work/candidates/ease-old"),
            (RESULT, "work/prepared/half"),
            (RESULT, "work/prepared/old"),
        ]
        assert contents(store) == before

    def test_what_goes_and_what_stays(self, config, store, folders):
        assert len(prune(config)) == 5
        assert not [one for one in folders.old if one.exists()]
        assert [one for one in folders.staying if one.exists()] == folders.staying
        assert not list(store.rglob("*old*")), "nor is anything left beside it"
        assert not list(store.rglob(".*.draft"))
        assert staying(config, RESULT)["work/prepared/noted"] == "the data accepted last as toy"
        assert staying(config, BATCH)["recommendations/recsys-toy/v2-k3-0a"] == "the champion's latest"
        assert going(config) == []

    def test_what_comes_into_use_meanwhile_stays(self, config, folders):
        items = {item.name: item for item in survey(config)}
        mark_used(folders.old[0])
        assert items["work/prepared/old"].remove() is False
        assert folders.old[0].is_dir()

    def test_every_kind_has_its_rule(self, config):
        assert {item.kind for item in survey(config)} <= {*rules(config)}
        assert list(rules(config)) == [BATCH, REPLAY, RESULT, VERSION, UNREGISTERED, PIPELINE, MONITOR]


class TestVersions:
    @pytest.fixture
    def register(self, store, toy_bundle):
        """Registers versions, each of a pipeline run of its own."""
        toy_bundle(store / "bundle")

        def make(count=1):
            for _ in range(count):
                yield registry.register(store / "bundle", "recsys-toy", pipeline_run(trials=0).id)

        return lambda count: list(make(count))

    def test_the_newest_those_with_an_alias_and_those_taken_off_stay(self, configure, store, register):
        register(8)
        registry.promote("recsys-toy", 1, {}, against=None)
        registry.promote("recsys-toy", 2, {}, against=1)
        registry.rollback("recsys-toy", "a reason")  # takes 2 off; 1 is champion again
        registry.promote("recsys-toy", 3, {}, against=1)
        tracking.client().set_registered_model_alias("recsys-toy", "mine", "4")
        config = configure(store=store, retention={"versions": 2})
        assert staying(config, VERSION) == {
            "recsys-toy 1 (previous)": "has an alias",
            "recsys-toy 2": "a person took it off",
            "recsys-toy 3 (champion)": "has an alias",
            "recsys-toy 4 (mine)": "has an alias",
            "recsys-toy 7": "among the newest",
            "recsys-toy 8 (challenger)": "has an alias",
        }
        before = {one.number: registry.download(one) for one in registry.versions()}
        gone = prune(config)
        assert [item.name for item in gone] == ["recsys-toy 5", "recsys-toy 6"]
        assert all(item.mib > 0 for item in gone)
        assert [number for number, folder in before.items() if folder.exists()] == [1, 2, 3, 4, 7, 8]
        assert [one.number for one in registry.versions()] == [1, 2, 3, 4, 7, 8]
        assert [move.new for move in registry.history("recsys-toy")] == [1, 2, 1, 3]
        assert registry.rollback("recsys-toy") == (3, 1)
        assert Bundle.load(registry.download(registry.find("recsys-toy", 1))).manifest.name == "toy"

    def test_one_that_was_copied_stays(self, configure, store, register):
        register(2)
        tracking.client().copy_model_version("models:/recsys-toy/1", "in-production")
        config = configure(store=store, retention={"versions": 1})
        assert staying(config, VERSION)["recsys-toy 1"] == "copied to in-production"
        assert prune(config) == []

    def test_a_bundle_without_a_version_goes_when_it_is_old(self, configure, store, register):
        register(1)
        mlflow = tracking.client()
        where = mlflow.get_experiment_by_name("toy").experiment_id
        left = mlflow.create_logged_model(where, registry.LOGGED)
        mlflow.log_model_artifacts(left.model_id, str(store / "bundle"))
        assert staying(configure(store=store), UNREGISTERED) == {left.model_id: "in use"}
        (gone,) = prune(configure(store=store, retention={"days": 1e-9}))
        assert (gone.kind, gone.name) == (UNREGISTERED, left.model_id)
        assert gone.mib > 0
        assert registry.download(registry.versions()[0]).is_dir(), "one that a version leads to is another thing"
        assert retention.unregistered("toy", "recsys-toy") == []

    def test_runs_of_versions_that_stay_stay(self, configure, store, register):
        register(3)
        config = configure(store=store, retention={"versions": 0, "runs": 1})
        registry.promote("recsys-toy", 1, {}, against=None)
        assert sorted(staying(config, PIPELINE).values()) == ["made recsys-toy 1", "made recsys-toy 3"]
        prune(config)
        registry.keep("recsys-toy", 3, {"promotion.promoted": False}, against=1, report={"gain": 0})
        assert [one.number for one in registry.versions()] == [1, 3], "the verdict went to the runs of both"

    def test_a_run_of_another_model_s_version_stays(self, configure, store, register):
        register(2)
        tracking.client().copy_model_version("models:/recsys-toy/1", "in-production")
        tracking.client().delete_model_version("recsys-toy", "1")
        config = configure(store=store, retention={"runs": 1})
        assert sorted(staying(config, PIPELINE).values()) == ["made in-production 1", "made recsys-toy 2"]


class TestRuns:
    def test_the_newest_stay_whole_and_nothing_is_left_of_the_others(self, configure, store):
        old, new = pipeline_run(), pipeline_run()
        watched = [tracking.start("toy", f"monitor {n}", {"role": "monitor"}).id for n in range(2)]
        other = tracking.start("toy", "a person's own").id
        config = configure(store=store, retention={"runs": 1})
        before = runs_of()
        gone = prune(config)
        assert [item.kind for item in gone] == [PIPELINE, MONITOR]
        assert "4 runs in all" in gone[0].name
        assert len(runs_of()) == len(before) - 5
        assert {new.id, watched[1], other} <= runs_of()
        assert not list((store / "artifacts").glob(f"{old.id}/**/*.json"))
        assert list((store / "artifacts").glob(f"{new.id}/**/*.json"))
        assert going(config) == []

    def test_nothing_was_run_yet(self, configure, store):
        assert survey(configure(store=store)) == []
        assert prune(configure(store=store)) == []


def test_what_was_pruned_is_computed_again(configure, stages, store):
    """A run, a batch; then everything a prune can take is taken, and the same run comes to the same model."""
    config = configure(store=store)

    def through():
        done = stages(config)
        run = pipeline_run()
        return done, gate.promote(config, done.prepared, done.fitted, done.outcome, done.tested, run.id)

    first, promotion = through()
    _, folder, _ = recommend_all(config, k=3)
    answers = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    recommend_all(config, k=2)
    grown_up(15, folder, *(store / "work").glob("*/*"))
    assert {item.kind for item in prune(config)} == {BATCH, RESULT}
    assert not [path for path in (store / "work").glob("[!a]*/*") if path.parent.name != "prepared"]

    again, same = through()
    assert not any(again.reused[1:])
    assert again.outcome.key == first.outcome.key
    assert again.tested.metrics == first.tested.metrics
    assert (same.version, same.promoted) == (promotion.version, False), "it is the champion, this very model"
    _, folder_again, reused = recommend_all(config, k=3)
    assert (folder_again, reused) == (folder, False)
    assert {path.name: path.read_bytes() for path in folder.glob("*.parquet")} == answers


KILLED = """
import os, signal, sys
from recsys import registry, retention
from recsys.cli import main
from recsys.data import atomic
from recsys.stages import prune
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

def kill(*args, **how):
    os.kill(os.getpid(), signal.SIGKILL)

for owner, name in [
    (atomic.shutil, "rmtree"),
    (MlflowClient, "delete_model_version"),
    (MlflowClient, "delete_logged_model"),
    (SqlAlchemyStore, "_hard_delete_run"),
]:
    child = os.fork()  # what was imported is there already
    if not child:
        setattr(owner, name, kill)
        sys.exit(main())
    print(name, os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed_at_every_step_and_done_again(configure, store, toy_bundle, tmp_path):
    toy_bundle(store / "bundle")
    for number in (1, 2, 3):
        assert registry.register(store / "bundle", "recsys-toy", pipeline_run().id) == number
    shutil.rmtree(store / "bundle")
    registry.promote("recsys-toy", 2, {}, against=None)
    made(store / "work" / "prepared" / "old", 15)
    limits = {"versions": 1, "runs": 1, "days": 1e-9}
    given = "".join(f"{name} = {value}\n" for name, value in limits.items())
    (tmp_path / "toy.toml").write_text(f'store = "{store}"\n[data]\npath = "events.csv"\n[retention]\n{given}')
    command = [sys.executable, "-c", KILLED, "prune", str(tmp_path / "toy.toml"), "--yes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    steps = [line.split() for line in done.stdout.splitlines() if line]
    assert [int(how) for _, how in steps] == [signal.SIGKILL] * 4, done.stdout + done.stderr

    def answers():
        return Bundle.load(registry.download(registry.find("recsys-toy", registry.champion("recsys-toy"))))

    assert answers().manifest.name == "toy"
    config = configure(store=store, retention=limits)
    prune(config)
    assert answers().manifest.name == "toy"
    assert [one.number for one in registry.versions()] == [2, 3]
    assert len(runs_of()) == 2 * 4
    assert len([path for path in (store / "artifacts" / "models").glob("*/artifacts") if any(path.iterdir())]) == 2
    assert not list((store / "work" / "prepared").iterdir())
    assert prune(config) == []


def test_it_waits_for_a_training_to_end(configure, store, tmp_path):
    made(store / "work" / "prepared" / "old", 15)
    (tmp_path / "toy.toml").write_text(f'store = "{store}"\n[data]\npath = "events.csv"\n')
    program = "import sys; from recsys.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "prune", str(tmp_path / "toy.toml"), "--yes"]
    with (
        FileLock(store / ".toy.turn.lock") as training,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            said = process.stderr.readline()
            assert said == "toy: another training is running; this one waits for it to end\n"
            assert (store / "work" / "prepared" / "old").is_dir()
            training.release()
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, f"toy: removed 1 things, 0.0 MiB, from {store}\n"), err
    assert not (store / "work" / "prepared" / "old").exists()


def test_on_an_mlflow_server(configure, toy_bundle, tmp_path, monkeypatch):
    """Artifacts go over its proxy; runs are hidden, because it lets nobody delete their rows."""
    (tmp_path / "server").mkdir()
    with Mlflow(tmp_path / "server") as server:
        monkeypatch.setenv(tracking.URI, server.url)
        store = tmp_path / "store"
        tracking.open_store(store)
        toy_bundle(tmp_path / "bundle")
        for number in (1, 2):
            assert registry.register(tmp_path / "bundle", "recsys-toy", pipeline_run(trials=1).id) == number
        registry.promote("recsys-toy", 2, {}, against=None)
        kept = tmp_path / "server" / "artifacts"
        config = configure(store=store, retention={"versions": 0, "runs": 1, "days": 1e-9})
        files = len([path for path in kept.rglob("*") if path.is_file()])
        gone = prune(config)
        assert [item.kind for item in gone] == [VERSION, PIPELINE]
        assert all(item.mib > 0 for item in gone)
        left = len([path for path in kept.rglob("*") if path.is_file()])
        assert left == files // 2
        assert [one.number for one in registry.versions()] == [2]
        assert Bundle.load(registry.download(registry.find("recsys-toy", 2))).manifest.name == "toy"
        assert retention.are_rows_left()
        assert going(config) == []
    monkeypatch.delenv(tracking.URI)
