"""Our side of a fit, what lists are worth, and the search both sides share."""

import math

import numpy as np
import pytest

from bench import fit_ours, runner
from bench.exchange import DEPTH, Fit, Task
from bench.judge import curve, quality, seconds_to
from bench.paired import alternate
from bench.runner import FitError
from bench.search import Found, best, search
from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.models.base import Range


@pytest.fixture
def task():
    """30 users who met 5 of 12 items each; lists are for two of them."""

    def make(**params):
        met = np.random.default_rng(0).permuted(np.tile(np.arange(12), (30, 1)), axis=1)[:, :5]
        user = np.repeat(np.arange(30, dtype=np.int32), 5)
        return Task(user, met.ravel().astype(np.int32), 30, 12, np.array([1, 3], np.int32), params)

    return make


class TestOurs:
    def test_one_checkpoint_at_the_end(self, task):
        fit = fit_ours.run(task(model="ease", config={"half_life": 0.0}, scores=True))
        assert fit.labels == [{}]
        assert fit.top.shape == (1, 2, DEPTH)
        assert fit.extra["scores"].shape == (2, 12)
        best_of_both = fit.top[0, :, 0]
        unseen = np.where(task().matrix()[[1, 3]].toarray() > 0, -np.inf, fit.extra["scores"])
        np.testing.assert_array_equal(best_of_both, unseen.argmax(axis=1))

    def test_a_checkpoint_every_so_many_epochs_and_one_a_half_life_at_the_end(self, task):
        config = {"factors": 2, "epochs": 4}
        fit = fit_ours.run(task(model="als", config=config, every=2, half_lives=[1.0, 0.0]))
        expected = [{"epoch": 2}, {"epoch": 4, "half_life": 1.0}, {"epoch": 4, "half_life": 0.0}]
        assert fit.labels == expected
        assert (np.diff(fit.seconds) >= 0).all()

    def test_no_seconds_left_stops_at_the_first_checkpoint(self, task):
        config = {"factors": 2, "epochs": 6}
        assert fit_ours.run(task(model="als", config=config, every=3, seconds=0.0)).labels == [{"epoch": 3}]


class TestRunner:
    def test_ours_in_a_process_of_its_own(self, task):
        assert runner.fit_ours(task(model="popularity")).top.shape == (1, 2, DEPTH)

    def test_what_failed_is_told_with_its_last_lines(self, task):
        with pytest.raises(FitError, match=r"(?s)bench.fit_ours ended with 1:.*did you mean 'reg'"):
            runner.fit_ours(task(model="ease", config={"rge": 1.0}))

    def test_without_the_peers_environment_a_peer_says_how_to_get_it(self, task, tmp_path, monkeypatch):
        monkeypatch.setattr(runner, "PEER_PYTHON", tmp_path / "python")
        with pytest.raises(FitError, match="`make bench` installs it"):
            runner.fit_peer("implicit_als", task())


class TestQuality:
    @pytest.fixture
    def holdout(self):
        """One user, who took item 3 next."""
        return Holdout(Interactions.of_histories([[0]], 5), Interactions.of_histories([[3]], 5))

    def test_second_place_is_worth_one_over_log2_of_three(self, holdout):
        assert quality(np.array([[1, 3, 2]]), holdout) == pytest.approx(1 / math.log2(3))

    def test_a_curve_and_when_it_gets_there(self, holdout):
        fit = Fit(np.array([1.0, 2.0]), np.array([[[1, 3]], [[3, 1]]]), [{"epoch": 1}, {"epoch": 2}], 0.0, {})
        trace = curve(fit, holdout)
        assert trace == [(1.0, pytest.approx(1 / math.log2(3)), {"epoch": 1}), (2.0, 1.0, {"epoch": 2})]
        assert seconds_to(0.9, trace) == 2.0
        assert seconds_to(1.1, trace) == math.inf


def test_both_sides_in_turn():
    order = []
    ours, peer = alternate(2, lambda run: order.append(f"ours {run}"), lambda run: order.append(f"peer {run}"))
    assert order == ["ours 0", "peer 0", "ours 1", "peer 1"]
    assert len(ours) == len(peer) == 2


def test_a_search_begins_where_it_is_told_and_keeps_all_it_found():
    """Worth is −(x − 3)², at two epochs, of which the second is better by 1."""

    def judge(params):
        return [Found(params | {"epoch": epoch}, epoch - (params["x"] - 3) ** 2) for epoch in (0, 1)]

    found = search(12, {"x": Range(low=0.0, high=10.0)}, {"x": 9.0}, judge)
    assert len(found) == 24
    assert found[0].params == {"x": 9.0, "epoch": 0}
    assert best(found).params["epoch"] == 1
    assert abs(best(found).params["x"] - 3) < 2
