"""The gate: false promotions on equal models, planted gains, every guard, and the words it uses."""

import json
from dataclasses import replace

import numpy as np
import pytest

from recsys.config import PromotionSection
from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.metrics.evaluation import evaluate
from recsys.promotion import Evidence, Side, judge, refuse

CONFIG = PromotionSection()
QUICK = PromotionSection(bootstrap=200)
COLD_LOST = (
    "cold users' ndcg@10 0.0350 against 0.0400, -12.5%, may drop by 10.0%, "
    "95% interval of the difference [-0.0050, -0.0050]: failed"
)
TAIL_LOST = (
    "tail items' ndcg@10 0.0050 against 0.0200, -75.0%, may drop by 50.0%, "
    "95% interval of the difference [-0.0150, -0.0150]: failed"
)


def alike(value, users=20):
    """As many users who are all served alike."""
    return np.full(users, value)


def side(name, ndcg, coverage=0.5, cold=0.04, tail=0.02):
    return Side(name, np.asarray(ndcg, float), coverage, alike(cold), alike(tail))


def evidence(challenger, champion, kind="champion", **more):
    name = "champion v3" if kind == "champion" else "popularity"
    return Evidence(
        challenger=side("challenger", challenger),
        baseline=side(name, champion),
        baseline_kind=kind,
        **{"latency_ms": 4.2, "artifact_mib": 30.0, **more},
    )


def better(**changes):
    """A challenger that beats the champion for every user, with something else changed."""
    case = evidence(np.full(50, 0.2), np.full(50, 0.1))
    ours = {key: value for key, value in changes.items() if key in ("coverage", "cold", "tail")}
    rest = {key: value for key, value in changes.items() if key not in ours}
    return replace(case, challenger=replace(case.challenger, **ours), **rest)


def share_promoted(gain, trials=400, n_users=300, config=QUICK, **more):
    """How often a challenger that is truly better by `gain` is promoted over an equal-sized test."""
    generator = np.random.default_rng(0)
    verdicts = []
    for seed in range(trials):
        ease = generator.beta(0.5, 2.0, n_users)
        challenger, champion = ease + generator.normal(0, 0.1, (2, n_users))
        verdicts.append(judge(evidence(challenger + gain, champion, **more), config, seed).promoted)
    return np.mean(verdicts)


def test_equal_models_are_promoted_as_rarely_as_the_interval_says():
    # One side of a 95% interval: 2.5% of 400, a standard deviation of 0.8%.
    assert 0.0 < share_promoted(0.0) < 0.055
    assert 0.0 < share_promoted(0.0, strata=np.repeat([0, 1, 2], 100)) < 0.055


def test_a_planted_gain_is_found():
    # The standard error of the mean difference is 0.1 · √2 / √300 = 0.008.
    assert share_promoted(0.05) > 0.99
    assert share_promoted(-0.05) == 0.0


def test_the_gain_must_be_above_min_gain():
    demanding = PromotionSection(bootstrap=200, min_gain=0.05)
    assert share_promoted(0.05, trials=200, config=demanding) < 0.075
    assert share_promoted(0.10, trials=200, config=demanding) > 0.99


def test_a_promotion_and_its_words():
    verdict = judge(better(), CONFIG)
    assert verdict.promoted
    assert verdict.reasons == (
        "ndcg@10 0.2000 against 0.1000 of champion v3: +0.1000, 95% interval [+0.1000, +0.1000], "
        "needs > 0.0000: passed",
        "coverage@10 0.5000 against 0.5000, +0.0%, may drop by 50.0%: passed",
        "cold users' ndcg@10 0.0400 against 0.0400, +0.0%, may drop by 10.0%: passed",
        "tail items' ndcg@10 0.0200 against 0.0200, +0.0%, may drop by 50.0%: passed",
        "p95 latency 4.2 ms, at most 500.0 ms: passed",
        "artifact size 30.0 MiB, at most 4096.0 MiB: passed",
    )


def test_an_identical_challenger_is_not_promoted():
    values = np.random.default_rng(0).random(100)
    verdict = judge(evidence(values, values.copy()), CONFIG)
    assert not verdict.promoted
    assert verdict.reasons[0].endswith(
        "+0.0000, 95% interval [+0.0000, +0.0000], needs > 0.0000: failed, "
        "no gain: every user is served exactly as well as before"
    )
    # Not even where a small loss is allowed: there is no reason to change anything.
    assert not judge(evidence(values, values.copy()), PromotionSection(min_gain=-0.01)).promoted


def test_a_refresh_may_risk_a_share_of_what_the_champion_has():
    # 8% lower for everybody: within the 10% that newer data are trusted with, and outside of 5%.
    case = evidence(np.full(50, 0.092), np.full(50, 0.1), refresh=True)
    verdict = judge(case, QUICK)
    assert verdict.promoted
    assert verdict.reasons[0].endswith("needs > -0.0100 (a refresh on newer data may risk 10.0%): passed")
    assert not judge(case, PromotionSection(bootstrap=200, refresh_loss=0.05)).promoted
    assert not judge(replace(case, refresh=False), QUICK).promoted


def refreshed(ndcg, lost):
    """A refresh worth `ndcg` for everybody, of a champion worth 0.1 that has lost a share of what it was."""
    return judge(evidence(np.full(50, ndcg), np.full(50, 0.1), refresh=True, lost=lost), QUICK)


def test_refreshes_in_a_row_may_lose_as_much_together():
    first = refreshed(0.094, lost=0.0)
    assert first.promoted
    assert first.lost == pytest.approx(0.06)
    assert first.tags()["promotion.lost"] == "0.0600"
    second = refreshed(0.094, first.lost)
    assert not second.promoted
    assert second.reasons[0].endswith(
        "needs > -0.0040 (a refresh on newer data may risk 4.0% of the 10.0% that refreshes may lose in a row): failed"
    )
    third = refreshed(0.097, first.lost)
    assert third.promoted
    assert third.lost == pytest.approx(0.09)
    assert not refreshed(0.0985, third.lost).promoted


def test_what_a_new_idea_may_lose_counts_alike():
    """Only a negative min_gain lets it lose."""
    case = evidence(np.full(50, 0.099), np.full(50, 0.1), lost=0.02)
    assert judge(case, PromotionSection(min_gain=-0.01)).lost == pytest.approx(0.03)


def test_what_refreshes_lost_is_made_up_for_by_gains_and_cleared_by_proof():
    chance = np.where(np.arange(50) % 2, 0.05, -0.05)  # of each user, so that 2% more is no proof
    unproven = evidence(np.full(50, 0.102) + chance, np.full(50, 0.1), refresh=True, lost=0.06)
    verdict = judge(unproven, PromotionSection(bootstrap=200, refresh_loss=0.9))
    assert verdict.promoted
    assert verdict.lost == pytest.approx(0.04)
    assert judge(replace(unproven, lost=0.01), QUICK).lost == 0.0  # never below: nothing is saved up
    assert refreshed(0.102, lost=0.06).lost == 0.0
    assert judge(evidence(np.full(50, 0.101), np.full(50, 0.1), lost=0.06), QUICK).lost == 0.0


def test_the_first_champion_is_no_refresh():
    verdict = judge(evidence(np.full(50, 0.096), np.full(50, 0.1), kind="popularity", refresh=True), QUICK)
    assert not verdict.promoted
    assert verdict.reasons[0].endswith("needs > 0.0000: failed")


def test_a_negative_min_gain_allows_a_small_loss():
    assert judge(evidence(np.full(50, 0.099), np.full(50, 0.1)), PromotionSection(min_gain=-0.01)).promoted


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"coverage": 0.24}, "coverage@10 0.2400 against 0.5000, -52.0%, may drop by 50.0%: failed"),
        ({"cold": alike(0.035)}, COLD_LOST),
        ({"tail": alike(0.005)}, TAIL_LOST),
        ({"latency_ms": 500.1}, "p95 latency 500.1 ms, at most 500.0 ms: failed"),
        ({"artifact_mib": 5000.0}, "artifact size 5000.0 MiB, at most 4096.0 MiB: failed"),
        ({"latency_ms": float("nan")}, "p95 latency nan ms, at most 500.0 ms: failed"),
        ({"coverage": float("nan")}, "coverage@10 nan against 0.5000, +nan%, may drop by 50.0%: failed"),
    ],
)
def test_a_guard_that_does_not_hold_keeps_the_champion(change, reason):
    verdict = judge(better(**change), CONFIG)
    assert not verdict.promoted
    assert [line for line in verdict.reasons if "failed" in line] == [reason]
    assert [guard.holds for guard in verdict.guards].count(False) == 1


@pytest.mark.parametrize(
    "change", [{"coverage": 0.25}, {"cold": alike(0.036)}, {"tail": alike(0.01)}, {"latency_ms": 500.0}]
)
def test_a_drop_exactly_at_the_limit_is_allowed(change):
    assert judge(better(**change), CONFIG).promoted


def test_a_drop_that_may_be_chance_is_none():
    """One of fifty users found something in the tail with the champion, and nobody does now; or ten of them did."""
    tails = [np.where(np.arange(50) < found, 0.4, 0.0) for found in (0, 1, 10)]
    case = better(tail=tails[0])
    lucky = judge(replace(case, baseline=replace(case.baseline, tail=tails[1])), CONFIG)
    assert lucky.promoted
    assert lucky.reasons[3].startswith("tail items' ndcg@10 0.0000 against 0.0080, -100.0%, may drop by 50.0%, 95%")
    assert lucky.reasons[3].endswith("] holds 0: passed")
    assert not judge(replace(case, baseline=replace(case.baseline, tail=tails[2])), CONFIG).promoted


def test_what_the_test_cannot_measure_does_not_stand_in_the_way():
    case = better(cold=alike(0, users=0))
    case = replace(case, baseline=replace(case.baseline, cold=alike(0, users=0), tail=alike(0.0)))
    verdict = judge(case, CONFIG)
    assert verdict.promoted
    assert verdict.reasons[2] == "cold users' ndcg@10 has no test users to be measured on: passed"
    assert verdict.reasons[3] == "tail items' ndcg@10 0.0200 against 0.0000, nothing to lose: passed"


def test_without_a_champion_popularity_is_to_beat():
    # Popularity covers next to nothing and its cold users lose nothing by it: only absolute limits guard.
    case = evidence(np.full(50, 0.2), np.full(50, 0.1), kind="popularity")
    verdict = judge(case, PromotionSection(min_gain=0.5))
    assert verdict.promoted
    assert verdict.reasons[0] == (
        "ndcg@10 0.2000 against 0.1000 of popularity (no champion yet): +0.1000, "
        "95% interval [+0.1000, +0.1000], needs > 0.0000: passed"
    )
    assert [guard.name for guard in verdict.guards] == ["p95 latency", "artifact size"]
    assert not judge(replace(case, latency_ms=900.0), CONFIG).promoted
    assert not judge(evidence(np.full(50, 0.1), np.full(50, 0.2), kind="popularity"), CONFIG).promoted


def test_the_confidence_of_the_configuration_is_used():
    generator = np.random.default_rng(0)
    case = evidence(generator.normal(0.12, 0.1, 300), np.full(300, 0.1))
    wide, narrow = (judge(case, PromotionSection(confidence=level)).gain for level in (0.99, 0.8))
    assert wide.lo < narrow.lo < narrow.hi < wide.hi
    assert "80% interval" in judge(case, PromotionSection(confidence=0.8)).reasons[0]


def test_one_seed_one_verdict():
    values = np.random.default_rng(0).random((2, 100))
    assert judge(evidence(*values), CONFIG, seed=3) == judge(evidence(*values), CONFIG, seed=3)


def test_different_users_cannot_be_compared():
    with pytest.raises(ValueError, match=r"a paired comparison needs the same users; seen \(50,\) and \(40,\)"):
        judge(evidence(np.ones(50), np.ones(40)), CONFIG)


def test_refusal():
    verdict = refuse("champion v3 was trained on events of the test window")
    assert verdict.to_dict() == {
        "promoted": False,
        "reasons": ["champion v3 was trained on events of the test window"],
        "gain": None,
        "guards": [],
        "compared": None,
        "off_policy": None,
        "lost": 0.0,
    }
    assert verdict.tags() == {
        "promotion.promoted": "false",
        "promotion.reasons": "champion v3 was trained on events of the test window",
    }


def test_a_verdict_goes_to_json_and_tags():
    verdict = judge(better(coverage=0.1), CONFIG)
    plain = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert plain["gain"] == pytest.approx({"mean": 0.1, "lo": 0.1, "hi": 0.1})
    assert plain["guards"][0] == {
        "name": "coverage@10",
        "direction": "at least",
        "value": 0.1,
        "champion": 0.5,
        "limit": 0.5,
        "holds": False,
        "reason": "0.1000 against 0.5000, -80.0%, may drop by 50.0%",
    }
    assert plain["compared"] == {
        "metric": "ndcg@10",
        "baseline": "champion v3",
        "challenger_mean": pytest.approx(0.2),
        "baseline_mean": pytest.approx(0.1),
        "users": 50,
        "needed": 0.0,
        "confidence": 0.95,
        "resamples": 2000,
        "seed": 0,
    }
    assert verdict.tags() == {
        "promotion.promoted": "false",
        "promotion.reasons": "\n".join(verdict.reasons),
        "promotion.gain": "+0.1000 [+0.1000, +0.1000]",
        "promotion.baseline": "champion v3",
        "promotion.ndcg_at_10": "0.2000 against 0.1000",
        "promotion.needed": "> 0.0000",
        "promotion.confidence": "0.95",
        "promotion.users": "50",
        "promotion.lost": "0.0000",
        "promotion.guard.coverage_at_10": "0.1000 against 0.5000, -80.0%, may drop by 50.0%: failed",
        "promotion.guard.cold_users_ndcg_at_10": "0.0400 against 0.0400, +0.0%, may drop by 10.0%: passed",
        "promotion.guard.tail_items_ndcg_at_10": "0.0200 against 0.0200, +0.0%, may drop by 50.0%: passed",
        "promotion.guard.p95_latency": "4.2 ms, at most 500.0 ms: passed",
        "promotion.guard.artifact_size": "30.0 MiB, at most 4096.0 MiB: passed",
    }


def test_what_is_no_number_is_null_in_json():
    plain = judge(better(latency_ms=float("nan")), CONFIG).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False))["guards"][3]["value"] is None


def test_one_user_proves_nothing():
    verdict = judge(evidence([0.5], [0.1], strata=np.array([1])), CONFIG)
    assert not verdict.promoted
    words = "95% interval [-∞, +∞] (one user judged, too few to tell), needs > 0.0000: failed"
    assert verdict.reasons[0] == f"ndcg@10 0.5000 against 0.1000 of champion v3: +0.4000, {words}"
    assert verdict.tags()["promotion.gain"] == "+0.4000 [-∞, +∞] (one user judged, too few to tell)"
    plain = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert plain["gain"] == {"mean": pytest.approx(0.4), "lo": None, "hi": None}


def test_users_who_are_each_alone_in_a_stratum_prove_nothing_either():
    strata = np.array([0, 1, 2])
    assert not judge(evidence([0.1, 0.9, 0.2], [0.0, 0.1, 0.3], strata=strata), CONFIG).promoted


def test_a_single_cold_user_does_not_stand_in_the_way():
    case = better(cold=alike(0.1, users=1))
    verdict = judge(replace(case, baseline=replace(case.baseline, cold=alike(0.4, users=1))), CONFIG)
    assert verdict.promoted
    assert verdict.reasons[2] == (
        "cold users' ndcg@10 0.1000 against 0.4000, -75.0%, may drop by 10.0%, "
        "95% interval of the difference [-∞, +∞] (one user judged, too few to tell) holds 0: passed"
    )


def test_sides_are_taken_from_evaluations():
    class Descending:
        def score(self, history):
            return np.tile(-np.arange(history.n_items, dtype=np.float32), (history.n_users, 1))

    train = Interactions.of_histories([[0, 0, 0, 0, 1]], n_items=3)
    holdout = Holdout(Interactions.of_histories([[], [1]], 3), Interactions.of_histories([[0], [2]], 3))
    evaluation = evaluate(Descending(), holdout, train)
    taken = Side.of("challenger", evaluation, holdout, train)
    # Lists 0 1 2 and 0 2: the cold user's item is first, the other's, which is in the tail, second.
    assert taken.ndcg == pytest.approx([1, 1 / np.log2(3)])
    assert (taken.coverage, taken.cold.tolist()) == (1.0, [1.0])
    assert taken.tail.tolist() == pytest.approx([1 / np.log2(3)])
