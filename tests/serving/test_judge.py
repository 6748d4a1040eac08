"""Judging honestly: which model of a champion may be scored on a test, and how it scores a catalogue that grew."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.data.interactions import Interactions
from recsys.metrics.evaluation import evaluate
from recsys.serving.judge import Rebased, comparable


@pytest.fixture(scope="module")
def make(toy_bundle, toy_split, tmp_path_factory):
    def bundle(split, method="leave_last", **more):
        return toy_bundle(tmp_path_factory.mktemp("bundle") / "bundle", split, method, **more)

    return bundle


@pytest.mark.parametrize("method", ["time", "leave_last", "ratio"])
def test_on_the_test_it_was_judged_on_the_evaluated_model_is_scored(make, toy_split, method):
    split = toy_split(method)
    bundle = make(split, method)
    model, reason = comparable(bundle, split, method)
    assert model.model is bundle.evaluated
    n_test = len(split.test_events)
    assert reason == (
        f"its evaluated model, because the serving one was trained on the test: {n_test} of {n_test} test events"
    )
    np.testing.assert_array_equal(
        model.score(split.test.history), bundle.evaluated.score(split.test.history), strict=True
    )


def test_a_champion_that_was_never_refit_is_scored_as_it_serves(make, toy_split):
    split = toy_split()
    bundle = make(split, fitted_on="train+validation")
    model, reason = comparable(bundle, split, "leave_last")
    assert model.model is bundle.serving
    assert reason == "its serving model, which never saw the test"


def test_on_newer_events_the_serving_model_is_scored(make, toy_events, toy_split):
    """The champion learnt from the first six of eight turns; the new test is the last turn."""
    events = toy_events()
    bundle = make(toy_split(events=events[events["timestamp"] < 60_000]), "time")
    split = toy_split("time", events=events)
    assert split.test_events.time.min() > 60_000
    model, reason = comparable(bundle, split, "time")
    assert model.model is bundle.serving
    assert reason == "its serving model, which never saw the test"


def test_one_event_in_the_test_window_is_enough_to_refuse_by_time(make, toy_events, toy_split):
    """The champion knows an event of a stranger from the test window: no pair in common, yet it saw the future."""
    events = toy_events()
    split = toy_split("time", events=events)
    start = int(split.test_events.time.min())
    stranger = pd.DataFrame({"user_id": 99, "item_id": [101, 102, 103], "timestamp": [1, 2, start]})
    bundle = make(toy_split(events=pd.concat([events[events["timestamp"] < 60_000], stranger])), "time")
    model, reason = comparable(bundle, split, "time")
    assert model.model is bundle.evaluated, "leave_last: the stranger's last event was test"
    assert "1 events up to 1970-01-01T" in reason
    assert comparable(bundle, split, "leave_last")[1] == "its serving model, which never saw the test"


def test_a_champion_whose_evaluated_model_saw_the_test_is_not_compared(make, toy_events, toy_split):
    """The old split by turns put what the new test asks for into validation."""
    events = toy_events()
    bundle = make(toy_split(events=events))
    first_seven = events[events["timestamp"] < 70_000]
    model, reason = comparable(bundle, toy_split(events=first_seven), "leave_last")
    assert model is None
    assert reason == "it was trained on the test, even as it was evaluated: 60 of 60 test events"


def test_other_ids_are_other_users(make, toy_events, toy_split):
    """The same rows under other user ids overlap in no pair."""
    bundle = make(toy_split())
    events = toy_events()
    events["user_id"] += 1000
    assert comparable(bundle, toy_split(events=events), "leave_last")[1].startswith("its serving model")


def test_scores_over_a_catalogue_that_grew_and_was_renumbered(make, toy_events, toy_split):
    bundle = make(toy_split())
    events = toy_events()
    fresh = pd.DataFrame({"user_id": 1, "item_id": [500, 501], "timestamp": [5, 90_000]})
    split = toy_split(events=pd.concat([fresh, events.sample(frac=1, random_state=0)]))
    model = Rebased(bundle.serving, bundle.data, split.data)
    history = split.data.interactions.select(split.data.users.rows([1, 2]))
    scores = model.score(history)
    assert scores.shape == (2, 26)
    assert scores.dtype == np.float32
    expected = bundle.serving.score(bundle.data.interactions.select(bundle.data.users.rows([1, 2])))
    for item in (101, 113, 124):
        assert scores[:, split.data.items.rows([item])[0]] == pytest.approx(
            expected[:, bundle.data.items.rows([item])[0]]
        )
    new, known = split.data.items.rows([500, 501]), split.data.items.rows(range(101, 125))
    assert np.isfinite(scores).all()
    assert (scores[:, new].max(axis=1) < scores[:, known].min(axis=1)).all()


def test_a_history_of_new_items_only_is_answered(make, toy_split):
    bundle = make(toy_split())
    split = toy_split(events=pd.DataFrame({"user_id": [1, 1, 1, 2], "item_id": [7, 8, 9, 7], "timestamp": range(4)}))
    scores = Rebased(bundle.serving, bundle.data, split.data).score(split.data.interactions)
    assert scores.shape == (2, 3)
    assert np.isfinite(scores).all()


def test_attributes_are_matched_by_name(make, toy_split):
    old, new = make(toy_split()).data, toy_split().data
    assert old.user_feature_names == ("camp=0", "camp=1")

    class Spy:
        def score(self, history):
            self.features = history.features
            return np.zeros((history.n_users, history.n_items), np.float32)

    renamed = replace(new, user_feature_names=("age=7", "camp=0"))
    spy = Spy()
    history = new.interactions.select([0, 1])
    assert history.features.toarray().tolist() == [[0, 1], [1, 0]]
    Rebased(spy, old, renamed).score(history)
    # What the new data calls camp=0 is its second column; it knows no camp=1.
    assert spy.features.toarray().tolist() == [[1, 0], [0, 0]]
    Rebased(spy, old, new).score(Interactions.build([0], [0], n_users=1, n_items=24))
    assert spy.features.toarray().tolist() == [[0, 0]]


def test_a_rebased_model_can_be_evaluated(make, toy_split):
    split = toy_split()
    model, _ = comparable(make(split), split, "leave_last")
    found = evaluate(model, split.test, split.for_test.interactions)
    # The test item is one of the five left in the own camp.
    assert found.aggregate["recall@10"] == 1.0
