"""The guard that listens to logged answers, and the table of all guards."""

import numpy as np
import pytest

from recsys.config import PromotionSection
from recsys.metrics.off_policy import Slots, compare
from recsys.promotion import Evidence, Side, judge
from recsys.promotion.guards import GUARDS

CONFIG = PromotionSection(bootstrap=200)


def logged(clicked, needed=100):
    """400 answers of one place, item 0 or 1 by a coin; `clicked` is the share of clicks on each."""
    number = np.arange(400)
    reward = (number // 2 % 100 < 100 * np.array(clicked)[number % 2]).astype(float)
    log = Slots(number, number % 2, np.ones(400, int), np.full(400, 0.5), reward)
    return compare(log, np.zeros(400, int), np.ones(400, int), needed=needed, resamples=200)


def side(name, ndcg, coverage=0.5, cold=0.04, tail=0.02):
    return Side(name, np.full(50, ndcg), coverage, np.full(20, cold), np.full(20, tail))


def evidence(off_policy, kind="champion"):
    """A challenger that finds twice as much on the test."""
    found, lost = (side(name, value) for name, value in (("c", 0.2), ("v3", 0.1)))
    return Evidence(found, lost, kind, latency_ms=4.2, artifact_mib=30.0, off_policy=off_policy)


def test_a_challenger_that_logged_answers_prove_worse_stays_out():
    verdict = judge(evidence(logged((0.1, 0.5))), CONFIG)
    assert not verdict.promoted
    assert [reason for reason in verdict.reasons if "failed" in reason] == [verdict.reasons[-1]]
    assert verdict.reasons[-1].startswith("off-policy reward 0.0997 against 0.5000 a place shown")
    assert (
        "(SNIPS 0.1000 against 0.5000), on 400 logged requests, effective sample 200 and 200: -0."
        in (verdict.reasons[-1])
    )
    assert verdict.reasons[-1].endswith("must reach 0: failed")
    assert verdict.tags()["promotion.guard.off_policy_reward"].endswith("must reach 0: failed")
    plain = verdict.to_dict()["off_policy"]
    assert plain["effective"] == [pytest.approx(200), pytest.approx(200)]
    assert plain["challenger"]["snips"]["mean"] == pytest.approx(0.1)


@pytest.mark.parametrize("clicked", [(0.5, 0.1), (0.3, 0.3), (0.29, 0.31)])
def test_one_that_they_do_not_prove_worse_goes_on(clicked):
    verdict = judge(evidence(logged(clicked)), CONFIG)
    assert verdict.promoted
    assert verdict.reasons[-1].endswith("must reach 0: passed")


def test_too_few_of_them_do_not_speak():
    verdict = judge(evidence(logged((0.1, 0.5), needed=300)), CONFIG)
    assert verdict.promoted
    assert verdict.reasons[-1] == (
        "off-policy reward does not speak: effective sample 200 of 400 logged places, needs 300: passed"
    )
    assert verdict.guards[-1].value is None


def test_without_them_nothing_is_said():
    verdict = judge(evidence(None), CONFIG)
    assert "off-policy" not in "".join(verdict.reasons)
    assert len(verdict.guards) == len(GUARDS) - 1


def test_popularity_is_no_champion_to_compare_with():
    assert [guard.name for guard in judge(evidence(logged((0.1, 0.5)), "popularity"), CONFIG).guards] == [
        "p95 latency",
        "artifact size",
    ]


def test_every_limit_of_the_configuration_is_that_of_a_guard():
    """Each guard reads its own key: with that key at its strictest, it alone fails."""
    worse = side("c", 0.2, 0.49, 0.039, 0.019)
    case = Evidence(worse, evidence(None).baseline, "champion", latency_ms=4.2, artifact_mib=30.0)
    keys = {
        "max_coverage_drop": "coverage@10",
        "max_cold_drop": "cold users' ndcg@10",
        "max_tail_drop": "tail items' ndcg@10",
        "max_latency_ms": "p95 latency",
        "max_artifact_mib": "artifact size",
    }
    for key, name in keys.items():
        strict = CONFIG.model_copy(update={key: 0.0})
        assert [guard.name for guard in judge(case, strict).guards if not guard.holds] == [name]
    assert {guard.name: guard.direction for guard in judge(case, CONFIG).guards} == {
        "coverage@10": "at least",
        "cold users' ndcg@10": "at least",
        "tail items' ndcg@10": "at least",
        "p95 latency": "at most",
        "artifact size": "at most",
    }
