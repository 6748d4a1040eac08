"""A whole replay with a real feedback store, a real registry and real models; and one that is killed in the middle."""

import itertools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from recsys import registry, tracking
from recsys.backtest import loop
from recsys.backtest.outcome import POLICIES, outcome_of, worth_of
from recsys.backtest.setting import set_up
from recsys.backtest.summary import summarize
from recsys.feedback.store import open_store
from recsys.report.backtest import page, write_backtest

PROGRAM = """
import sys
from recsys.backtest import loop
from recsys.backtest.setting import set_up
from recsys.config import Config
setting = set_up(Config.model_validate_json(sys.stdin.read()))
loop.begin(setting)
for period in setting.periods:
    print(period.number, flush=True)
    loop.step(setting, period)
"""


def replay(config):
    setting = set_up(config)
    loop.begin(setting)
    for period in setting.periods:
        loop.step(setting, period)
    return setting


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Where the registry of a service would be, which the environment names while a replay is on."""
    return tmp_path_factory.mktemp("service") / "mlflow.db"


@pytest.fixture(scope="module")
def setting(replayed, service):
    setting = set_up(replayed)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RECSYS_FEEDBACK_URL", "postgresql://nobody@127.0.0.1:1/none")
        environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{service}")
        loop.begin(setting)
        for period in setting.periods:
            loop.step(setting, period)
        assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{service}"
    return setting


@pytest.fixture(scope="module")
def outcomes(setting):
    return [outcome_of(setting, number) for number in range(len(setting.periods) + 1)]


class TestReplay:
    def test_all_policies_begin_alike(self, setting):
        worth = worth_of(setting, 1)
        assert np.array_equal(worth["frozen"], worth["loop"])
        assert np.array_equal(worth["frozen"], worth["overwrite"])

    def test_retraining_pays_where_seasons_change(self, setting):
        summary = summarize(setting)
        assert summary.whole.gain["frozen"].lo > 0
        assert summary.promoted > 0
        assert summary.whole.ndcg["frozen"].mean < summary.whole.ndcg["loop"].mean

    def test_what_was_promoted_serves_the_next_period(self, outcomes):
        for before, one in itertools.pairwise(outcomes):
            assert one.served["loop"] == f"v{before.champion}"
            assert one.promoted == (one.champion != before.champion)
            assert (one.overwrite == "") == one.promoted
            assert one.champion_since == (one.end if one.promoted else before.champion_since)

    def test_promotions_are_those_of_the_registry(self, setting, outcomes):
        tracking.open_store(setting.config.store)
        promoted = [one.champion for one in outcomes if one.promoted]
        assert registry.champion(setting.config.model_name) == promoted[-1]
        told = [
            one.number
            for one in registry.versions(setting.config.model_name)
            if one.tags.get("promotion.promoted") == "true"
        ]
        assert told == promoted

    def test_the_feedback_store_holds_what_was_shown_and_done(self, setting, moving_log):
        with open_store(setting.config.store) as store:
            events = [event for batch in store.after(0) for event in batch.events]
            shown = list(store.shown())
        done = [event for event in events if event.event_type != "impression"]
        assert len(done) == (moving_log["timestamp"] >= setting.periods[0].begin).sum()
        assert len(shown) == 10 * sum(len(worth_of(setting, one.number)["users"]) for one in setting.periods)
        assert 0 < sum(bool(one.responses) for one in shown) < len(shown)
        assert {one.impression.model_version for one in shown} == {
            outcome_of(setting, number).served["loop"].removeprefix("v")
            for number in range(1, len(setting.periods) + 1)
        }

    def test_the_service_is_left_alone(self, setting, service):
        assert not service.exists()
        assert (setting.folder / "mlflow.db").is_file()
        assert (setting.folder / "feedback.db").is_file()

    def test_a_second_replay_finds_everything(self, setting, replayed):
        begun = time.perf_counter()
        assert replay(replayed).folder == setting.folder
        assert time.perf_counter() - begun < 20

    def test_nothing_of_a_period_is_left_behind_but_its_outcome(self, setting):
        assert not (setting.folder / "work").exists()
        assert len(list(setting.folder.glob("overwrite-*"))) <= 1


class TestReport:
    def test_the_page_has_a_row_a_period_and_says_why(self, setting):
        text = page(summarize(setting))
        for period in setting.periods:
            assert f"\n| {period.number} | " in text
            assert f"\n- **{period.number}**, " in text
        assert "always overwrite" in text

    def test_files(self, setting, tmp_path):
        files = write_backtest(summarize(setting), tmp_path)
        assert [path.name for path in files] == ["backtest.json", "backtest.md", "backtest.png"]
        assert files[2].read_bytes().startswith(b"\x89PNG")

    def test_a_replay_that_is_not_done_has_no_summary(self, replayed, tmp_path):
        with pytest.raises(RuntimeError, match="0 of"):
            summarize(set_up(replayed.model_copy(update={"store": str(tmp_path)})))


def test_a_killed_replay_ends_like_one_that_was_not(setting, replayed, tmp_path):
    config = replayed.model_copy(update={"store": str(tmp_path / "store")})
    # Killed while the second period is on.
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    process.stdin.write(config.model_dump_json())
    process.stdin.close()
    while process.stdout.readline().strip() != "2":
        assert process.poll() is None
    time.sleep(1.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    resumed = replay(config)
    for number in range(1, len(setting.periods) + 1):
        one, other = outcome_of(resumed, number), outcome_of(setting, number)
        assert (one.decision, one.promoted, one.served) == (other.decision, other.promoted, other.served)
        for policy in POLICIES:
            assert np.array_equal(worth_of(resumed, number)[policy], worth_of(setting, number)[policy])
