"""Judging honestly: which model of a champion may be scored on a test, and how it scores a catalogue that grew."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.data.features import encode
from recsys.metrics.evaluation import evaluate
from recsys.serving.judge import Rebased, as_known, comparable


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


@pytest.fixture(scope="module")
def described(toy_split):
    """Splits whose users have a number `spend` beside their camp."""

    def make(users, spend):
        split = toy_split(users=users)
        table = pd.DataFrame({"user_id": users, "camp": [user % 2 for user in users], "spend": map(spend, users)})
        features = encode(table, "user_id", split.data.users)
        log = replace(split.data.interactions, features=features.matrix)
        return replace(split, data=replace(split.data, interactions=log, user_feature_names=features.names))

    return make


def test_whom_the_champion_knows_keeps_the_attributes_it_serves_by(described):
    """Buckets have other edges in each table: hardly a name of spend is the same."""
    old = described(range(1, 61), lambda user: user * 1.1).data
    split = described(range(31, 91), lambda user: user * 1.7)
    common = [name for name in split.data.user_feature_names if name in old.user_feature_names]
    assert common == ["camp=0", "camp=1"]
    known = as_known(split, old)
    assert known.data.user_feature_names == old.user_feature_names
    row = known.data.users.rows(range(31, 91))
    features = known.data.interactions.features.toarray()[row]
    assert (features.shape, features.dtype) == ((60, 12), np.float32)
    np.testing.assert_array_equal(features[:30], old.interactions.features.toarray()[old.users.rows(range(31, 61))])
    # A newcomer has what is still called the same.
    assert features[30:, :2].tolist() == [[0, 1], [1, 0]] * 15
    assert not features[30:, 2:].any()
    # Everybody is tested, and all parts tell the same of them.
    for part in (known.train, known.validation_events, known.test.history, known.for_test.interactions):
        np.testing.assert_array_equal(part.features.toarray()[row], features)


def test_attributes_that_only_one_side_has(described):
    old, split = described(range(1, 61), float).data, described(range(1, 61), float)
    plain = replace(old, interactions=replace(old.interactions, features=None), user_feature_names=())
    assert as_known(split, plain).test.history.features is None
    known = as_known(replace(split, data=plain), old)
    np.testing.assert_array_equal(known.test.history.features.toarray(), old.interactions.features.toarray())


def test_a_rebased_model_can_be_evaluated(make, toy_split):
    split = toy_split()
    model, _ = comparable(make(split), split, "leave_last")
    found = evaluate(model, split.test, split.for_test.interactions)
    # The test item is one of the five left in the own camp.
    assert found.aggregate["recall@10"] == 1.0
