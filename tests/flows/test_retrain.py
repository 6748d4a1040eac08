"""`recsys retrain` through real Prefect and MLflow: the first champion, nothing to do, and what feedback brings."""

import json
import os
import sqlite3
import subprocess
import sys

import pytest

from recsys import registry, tracking
from tests import tiny

CONFIG = tiny.config("shop", trials=1, more="[retrain]\nmin_events = 50")
PROGRAM = "import sys; from flows.cli import main; sys.exit(main())"
MODEL = "recsys-shop"


@pytest.fixture(scope="module")
def recsys(tmp_path_factory, prefect_server):
    """Runs `recsys WORDS` in a folder with `shop.toml`, in a process of its own."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.toml").write_text(CONFIG)

    ours = ("PREFECT_", "MLFLOW_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    how = {"cwd": folder, "env": inherited | {"PREFECT_API_URL": prefect_server.url}, "text": True}

    def run(*words):
        command = [sys.executable, "-c", PROGRAM, *words]
        return subprocess.run(command, **how, capture_output=True, check=False, timeout=240)

    def killed(*words, at):
        """The same, killed when it says `at`."""
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], **how, stderr=subprocess.PIPE)
        with process:
            assert any(at in line for line in process.stderr), f"ended without saying {at!r}"
            process.kill()

    run.killed, run.folder = killed, folder
    return run


def add_feedback(recsys, users):
    """Ten events of each of these strangers, and a line that is none."""
    lines = [
        json.dumps(
            {
                "event_id": f"e{user}-{turn}",
                "user_id": user,
                "item_id": turn + 1,
                "event_type": "view",
                "timestamp": 1_700_000_000 + 100 * user + turn,
            }
        )
        for user in users
        for turn in range(10)
    ]
    (recsys.folder / "events.jsonl").write_text("\n".join([*lines, "broken"]) + "\n")
    assert recsys("feedback", "add", "events.jsonl").returncode == 0


@pytest.fixture(scope="module")
def first(recsys):
    """There is no champion: it trains."""
    done = recsys("retrain", "shop.toml")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def again(recsys, first):
    """Nothing has happened since."""
    return recsys("retrain", "shop.toml")


@pytest.fixture(scope="module")
def after_feedback(recsys, again):
    """Strangers have come and taken things, in a format of their own, and something broken."""
    add_feedback(recsys, range(9000, 9030))
    done = recsys("retrain", "shop.toml")
    assert done.returncode == 0, done.stderr
    return done


def test_without_a_champion_it_trains_one(first):
    assert first.stdout.startswith("Retrained: there is no champion yet")
    assert "Promoted: version 1 is the champion" in first.stdout


def test_nothing_new_is_a_normal_and_cheap_ending(again):
    assert again.returncode == 0
    assert again.stdout == "Nothing to do: 0 new events, fewer than 50: not worth a retraining\n"
    assert "trial" not in again.stderr


def test_feedback_is_taken_in_and_is_a_reason(after_feedback, recsys):
    assert after_feedback.stdout.startswith("Retrained: 300 new events are ")
    tracking.open_store(recsys.folder / "mlruns")
    assert [one.number for one in registry.versions(MODEL)] == [1, 2]
    assert "v1" in registry.versions(MODEL)[1].tags["promotion.reasons"]


def test_the_run_page_says_what_was_decided(after_feedback, prefect_server):
    with sqlite3.connect(prefect_server.log.parent / "prefect.db") as database:
        artifacts = database.execute("SELECT data FROM artifact WHERE key = 'retraining'").fetchall()
    database.close()
    told = "\n".join(data for (data,) in artifacts)
    assert "there is no champion yet" in told
    assert "**nothing to do**" in told
    assert "300 new events are " in told


def test_a_killed_retraining_goes_on(after_feedback, recsys):
    add_feedback(recsys, range(9100, 9140))
    recsys.killed("retrain", "shop.toml", at="trial 1 of 1")
    done = recsys("retrain", "shop.toml")
    assert done.returncode == 0, done.stderr
    # What was ingested before the kill is in, once, and still new to the champion.
    assert done.stdout.startswith("Retrained: 400 new events are ")
    assert "the same data was accepted before" in done.stderr
    tracking.open_store(recsys.folder / "mlruns")
    assert [one.number for one in registry.versions(MODEL)] == [1, 2, 3]


def test_a_wrong_key_is_told_before_anything_starts(recsys):
    done = recsys("retrain", "shop.toml", "--set", "retrain.max_age=3")
    assert done.returncode == 2
    assert "unknown key 'retrain.max_age'" in done.stderr
    assert "Prefect" not in done.stderr


def test_a_log_without_times_cannot_be_replayed(recsys):
    (recsys.folder / "places.csv").write_text(
        "user_id,item_id,timestamp\n" + "".join(f"{user},{place},{place}\n" for user in range(30) for place in range(9))
    )
    (recsys.folder / "places.toml").write_text('[data]\npath = "places.csv"\n[validation]\nmin_items = 5\n')
    done = recsys("backtest", "places.toml")
    assert done.returncode == 2
    assert "timestamps have to be times, not places in a history" in done.stderr
    assert not (recsys.folder / "mlruns" / "places").exists()


def test_a_backtest_ends_with_what_the_loop_was_worth(recsys):
    done = recsys("backtest", "shop.toml", "--set", "backtest.period_days=15", "--set", "backtest.start=0.7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Over all periods the loop gained ndcg@10 ")
    report = recsys.folder / "mlruns" / "shop" / "backtest"
    assert {path.name for path in report.iterdir()} == {"backtest.json", "backtest.md", "backtest.png"}
    summary = json.loads((report / "backtest.json").read_text())
    assert len(summary["periods"]) >= 2
    tracking.open_store(recsys.folder / "mlruns")
    runs = tracking.client().search_runs(
        [tracking.client().get_experiment_by_name("shop").experiment_id], "tags.role = 'backtest'"
    )
    assert runs[0].data.metrics["backtest/ndcg_at_10.loop"] == pytest.approx(summary["whole"]["ndcg"]["loop"]["mean"])
