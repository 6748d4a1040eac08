"""The decision to retrain: each reason alone decides, none of them without enough new events."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import RetrainSection
from recsys.retraining import Drift, Signals, decide

CONFIG = RetrainSection()
CALM = Drift(popularity_shift=0.0, unknown_users=1.0, unknown_items=0.0, score_shift=0.0, ndcg=0.2, tested_ndcg=0.2)
QUIET = Signals(champion=3, learnt_events=100_000, new_events=1_000, age_days=1.0, drift=CALM)


def test_without_a_champion_there_is_nothing_to_weigh():
    decision = decide(Signals(champion=None), CONFIG)
    assert decision.retrain
    assert decision.reasons == ("there is no champion yet",)


def test_a_stale_champion_goes_even_when_nothing_is_new():
    decision = decide(replace(QUIET, new_events=0, drift=None, stale="a user is to be forgotten"), CONFIG)
    assert decision.retrain
    assert decision.reasons == ("champion v3 is stale: a user is to be forgotten",)


def test_too_few_events_outweigh_every_other_reason():
    wild = replace(CALM, popularity_shift=1.0, unknown_items=1.0, score_shift=1.0, ndcg=0.0)
    decision = decide(replace(QUIET, new_events=99, learnt_events=1, age_days=999.0, drift=wild), CONFIG)
    assert not decision.retrain
    assert decision.reasons == ("99 new events, fewer than 100: not worth a retraining",)


def test_where_nothing_holds_all_that_was_looked_at_is_told():
    decision = decide(QUIET, CONFIG)
    assert not decision.retrain
    assert len(decision.reasons) == 6
    assert decision.reasons[0] == "1,000 new events are 1.0% of the 100,000 learnt from, allowed below 5.0%"
    assert (
        decision.reasons[-1]
        == "ndcg@10 0.2000 on new events of known items against 0.2000 on test, -0.0%, may drop by 20.0%"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"learnt_events": 20_000}, "1,000 new events are 5.0% of the 20,000 learnt from"),
        ({"age_days": 30.0}, "the champion is 30.0 days old, allowed below 30"),
        ({"drift": replace(CALM, popularity_shift=0.151)}, "what is taken has shifted by 0.151, allowed 0.150"),
        ({"drift": replace(CALM, unknown_items=0.11)}, "new events on unknown items: 11.0%, allowed 10.0%"),
        ({"drift": replace(CALM, score_shift=0.21)}, "the champion's best scores have shifted by 0.210, allowed 0.200"),
        (
            {"drift": replace(CALM, ndcg=0.15)},
            "ndcg@10 0.1500 on new events of known items against 0.2000 on test, -25.0%",
        ),
    ],
)
def test_each_reason_alone_is_enough(change, reason):
    decision = decide(replace(QUIET, **change), CONFIG)
    assert decision.retrain
    assert len(decision.reasons) == 1
    assert decision.reasons[0].startswith(reason)


def test_without_drift_or_a_test_to_compare_with_nothing_is_made_up():
    assert len(decide(replace(QUIET, drift=None), CONFIG).reasons) == 2
    assert len(decide(replace(QUIET, drift=replace(CALM, ndcg=None)), CONFIG).reasons) == 5
    assert len(decide(replace(QUIET, drift=replace(CALM, tested_ndcg=0.0)), CONFIG).reasons) == 5


@given(st.integers(100, 10**9), st.integers(100, 10**9))
def test_more_new_events_never_turn_a_retraining_down(few, more):
    few, more = sorted((few, more))
    assert (
        decide(replace(QUIET, new_events=few), CONFIG).retrain
        <= decide(replace(QUIET, new_events=more), CONFIG).retrain
    )


def test_the_page_says_what_was_decided_and_why():
    assert decide(replace(QUIET, age_days=31.0), CONFIG).markdown() == (
        "**retrain**\n\n- the champion is 31.0 days old, allowed below 30"
    )
