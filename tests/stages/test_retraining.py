"""What a retraining is decided by, measured on a real champion in a real registry; and where its search starts."""

import numpy as np
import pandas as pd
import pytest

from recsys import registry, tracking
from recsys.hybrid import persistence
from recsys.models.als import ALS, ALSConfig
from recsys.models.table import create
from recsys.stages import candidates, promote, retraining
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import prepared_set

MODELS = {"candidates": ["popularity", "ease"], "device": "cpu"}


@pytest.fixture
def crown(store, stages, configure):
    """Promotes what a run with these models makes; gives its configuration, and what it was fitted on."""

    def of(models):
        config = configure(models=models)
        done = stages(config)
        promotion = promote.promote(
            config, done.prepared, done.fitted, done.outcome, done.tested, tracking.start("toy", "run").id
        )
        assert promotion.promoted
        return config, done.prepared

    return of


@pytest.fixture
def promoted(crown):
    """The configuration whose champion was just promoted, and what it was fitted on."""
    return crown({**MODELS, "params": {"ease": {"reg": 77.0}}})


@pytest.fixture
def grown(promoted, tmp_path, configure):
    """Writes the log with more events behind it, and prepares it."""

    def with_more(more):
        log = pd.read_csv(tmp_path / "events.csv")
        pd.concat([log, more]).to_csv(tmp_path / "more.csv", index=False)
        config = promoted[0].model_copy(
            update={"data": promoted[0].data.model_copy(update={"path": str(tmp_path / "more.csv")})}
        )
        config = config.model_copy(update={"retrain": config.retrain.model_copy(update={"min_events": 10})})
        return config, prepared_set(preprocess(config)[0])

    return with_more


def events(users, items, at=10**6):
    return pd.DataFrame({"user_id": users, "item_id": items, "timestamp": np.arange(len(users)) + at})


def test_without_a_champion(store, configure):
    config = configure()
    assert retraining.signals(config, prepared_set(preprocess(config)[0])).champion is None


def test_the_same_log_holds_nothing_new(promoted):
    config, prepared = promoted
    signals = retraining.signals(config, prepared)
    assert (signals.champion, signals.learnt_events, signals.new_events) == (1, 480, 0)
    assert signals.drift is None
    assert 0 <= signals.age_days < 1


def test_what_was_met_before_is_nothing_new(grown, toy_events):
    config, prepared = grown(toy_events().assign(timestamp=10**6))
    assert retraining.signals(config, prepared).new_events == 0


def test_new_users_and_items_are_counted_and_scored(grown):
    # 20 strangers take the two most liked things nobody had: half of the new events are on an item without events.
    more = events(np.repeat(np.arange(901, 921), 2), [101, 999] * 20)
    config, prepared = grown(more)
    signals = retraining.signals(config, prepared)
    assert signals.new_events == 40
    assert signals.drift.unknown_users == 1.0
    assert signals.drift.unknown_items == 0.5
    assert signals.drift.popularity_shift > 0.2
    assert signals.drift.ndcg is not None
    assert signals.drift.tested_ndcg > 0


def test_the_champion_is_asked_with_the_attributes_it_serves_by(store, configure, toy_events, toy_bundle, tmp_path):
    """Whatever is told of the same users since: the champion answers as before."""

    def prepared(**told):
        users = pd.DataFrame({"user_id": range(1, 61), **told})
        users.to_csv(tmp_path / "users.csv", index=False)
        config = configure(data={"users": str(tmp_path / "users.csv")}, retrain={"min_events": 10})
        return config, prepared_set(preprocess(config)[0])

    spend = np.arange(60)
    split = prepared(spend=spend)[1].split
    bundle = toy_bundle(tmp_path / "bundle", split)
    persistence.save(create("fm", {"epochs": 1}).fit(split.data), bundle.folder / "serving")
    number = registry.register(bundle.folder, "recsys-toy", tracking.start("toy", "run").id)
    registry.promote("recsys-toy", number, {}, against=None)
    more = events(range(1, 41), [101, 113] * 20)
    pd.concat([toy_events(), more]).to_csv(tmp_path / "events.csv", index=False)
    since = ({"spend": spend}, {"spend": spend[::-1] * 1.7}, {"camp": spend % 2})
    same, *others = (retraining.signals(*prepared(**told)).drift for told in since)
    assert others == [same, same]


def test_items_it_cannot_know_are_no_drop_of_its_quality(grown):
    config, prepared = grown(events(np.repeat(np.arange(901, 921), 2), [998, 999] * 20))
    drift = retraining.signals(config, prepared).drift
    assert (drift.unknown_items, drift.ndcg) == (1.0, None)


def test_more_of_the_same_does_not_drift(grown, toy_events):
    whole = toy_events(met=12)
    config, prepared = grown(whole[~whole.index.isin(toy_events(met=8).index)])
    signals = retraining.signals(config, prepared)
    assert signals.new_events > 100
    assert signals.drift.popularity_shift < 0.15
    assert signals.drift.unknown_items == 0


def test_a_log_that_shares_nothing_with_the_champions_has_shifted_altogether(promoted, tmp_path, toy_events):
    """As where the log is what happened in the last month, and the champion is older."""
    config, _ = promoted
    toy_events(users=range(901, 961)).to_csv(tmp_path / "events.csv", index=False)
    signals = retraining.signals(config, prepared_set(preprocess(config)[0]))
    assert signals.new_events == 480
    assert (signals.drift.popularity_shift, signals.drift.unknown_users) == (1.0, 1.0)
    assert signals.drift.score_shift == 0.0, "there is nobody to compare with"
    assert signals.drift.ndcg > 0


def test_a_stale_champion_says_why(promoted):
    config, prepared = promoted
    tracking.client().set_model_version_tag(config.model_name, "1", retraining.STALE, "user 7 is to be forgotten")
    assert retraining.signals(config, prepared).stale == "user 7 is to be forgotten"


def test_a_search_starts_from_the_champion(promoted, configure):
    config, prepared = promoted
    plain = configure()
    warm = retraining.warmed(plain, retraining.champion(config), prepared)
    assert warm.models.params["ease"]["reg"] == 77.0
    assert warm.model_copy(update={"models": plain.models}) == plain


def test_what_the_configuration_sets_stays(promoted, configure):
    config, prepared = promoted
    own = configure(models={**MODELS, "params": {"ease": {"reg": 5.0}}})
    warm = retraining.warmed(own, retraining.champion(config), prepared)
    assert warm.models.params["ease"]["reg"] == 5.0


def test_what_needs_too_much_memory_by_now_starts_as_configured(crown, configure):
    """Rather than not at all: the champion's size was within the budget when its log was smaller."""
    models = {"candidates": ["popularity", "als"], "device": "cpu"}
    config, prepared = crown({**models, "params": {"als": {"factors": 200, "reg": 0.07}}})
    plain, champion = configure(models=models), retraining.champion(config)
    assert retraining.warmed(plain, champion, prepared).models.params["als"]["factors"] == 200
    needed = ALS.memory_bytes(ALSConfig(factors=200), prepared.split.for_test) / 2**30
    tight = configure(models={**models, "memory_gib": needed - 1e-6, "params": {"als": {"reg": 0.5}}})
    warm = retraining.warmed(tight, champion, prepared)
    assert warm.models.params["als"] == {"reg": 0.5}
    assert candidates.refusal("als", warm, prepared) is None


def test_the_champion_is_found_by_its_alias(promoted):
    config, _ = promoted
    assert retraining.champion(config).number == registry.champion(config.model_name) == 1
