"""One trial on models whose worth is known beforehand: early stopping, pruning, deadline, scoring parameters."""

from typing import ClassVar

import numpy as np
import pytest

from recsys.models.base import ModelConfig
from recsys.tuning.trial import PATIENCE, run_trial

GO_ON = 3600.0


class ScorerConfig(ModelConfig):
    half_life: float = 2.0
    boost: float = 1.0


class Scorer:
    """Learns nothing; has two parameters that act when scoring."""

    name: ClassVar[str] = "scorer"
    Config = ScorerConfig
    SCORING: ClassVar[dict] = {"half_life": (1.0, 2.0, 4.0, 8.0, 0.0), "boost": (1.0, 3.0)}

    def __init__(self, **params):
        self.config = self.Config(**params)
        self.fitted_on = []

    def fit(self, data):
        self.fitted_on.append(data)
        return self


class LearnerConfig(ScorerConfig):
    epochs: int = 10


class Learner(Scorer):
    """What it learns is how many epochs it has seen."""

    Config = LearnerConfig
    SCORING: ClassVar[dict] = {}

    def fit(self, data, on_epoch):
        for epoch in range(1, self.config.epochs + 1):
            self.epoch = epoch
            if on_epoch(epoch, self):
                break
        return self

    def state(self):
        return {"epoch": np.array(self.epoch)}

    def load(self, state):
        self.epoch = int(state["epoch"])
        return self


def never_pruned(value, epoch):
    return False


def by_epoch(values):
    """Worth by epoch; the last value holds for all later ones."""
    return lambda model: values[min(model.epoch, len(values)) - 1]


class TestEpochs:
    def test_training_stops_when_patience_is_over_and_the_best_state_stays(self):
        model = Learner(epochs=20)
        record = run_trial(model, None, by_epoch([0.1, 0.3, 0.2]), 7, GO_ON, never_pruned)
        assert record.curve == [(1, 0.1), (2, 0.3), *((epoch, 0.2) for epoch in range(3, 3 + PATIENCE))]
        assert (record.number, record.state, record.value) == (7, "complete", 0.3)
        assert model.epoch == 2
        assert record.params == {"half_life": 2.0, "boost": 1.0, "epochs": 2}
        assert model.config.epochs == 2, "a refit trains as long as was best"

    def test_what_rises_to_the_end_is_trained_to_the_end(self):
        model = Learner(epochs=5)
        record = run_trial(model, None, lambda model: model.epoch / 10, 0, GO_ON, never_pruned)
        assert [epoch for epoch, _ in record.curve] == [1, 2, 3, 4, 5]
        assert (model.epoch, record.params["epochs"]) == (5, 5)

    def test_the_longer_it_is_trained_the_rarer_it_is_validated_and_always_after_the_last_epoch(self):
        record = run_trial(Learner(epochs=41), None, lambda model: model.epoch / 10, 0, GO_ON, never_pruned)
        assert [epoch for epoch, _ in record.curve] == [*range(1, 11), 12, 14, 15, 18, 20, 24, 25, 30, 35, 40, 41]

    def test_a_pruned_trial_ends_at_once_with_its_best_so_far(self):
        told = []

        def prune_after_three(value, epoch):
            told.append((epoch, value))
            return epoch == 3

        class Searched(Learner):
            SCORING: ClassVar[dict] = Scorer.SCORING

        judged = []

        def judge(model):
            judged.append(model.config.half_life)
            return 0.1 if len(judged) > 1 else 0.2

        model = Searched(epochs=20)
        record = run_trial(model, None, judge, 0, GO_ON, prune_after_three)
        assert told == [(1, 0.2), (2, 0.1), (3, 0.1)]
        assert (record.state, record.value, model.epoch) == ("pruned", 0.2, 1)
        assert judged == [2.0, 2.0, 2.0], "what is given up is not searched any further"

    def test_when_time_is_up_the_epoch_is_the_last(self):
        model = Learner(epochs=60)
        record = run_trial(model, None, lambda model: 0.5, 0, -1.0, never_pruned)
        assert record.curve == [(1, 0.5)]
        assert record.params["epochs"] == 1


class TestScoring:
    def test_each_parameter_is_climbed_until_it_gets_worse(self):
        worth = {1.0: 0.1, 2.0: 0.2, 4.0: 0.4, 8.0: 0.3, 0.0: 0.9}
        asked = []

        def judge(model):
            asked.append((model.config.half_life, model.config.boost))
            return worth[model.config.half_life] * model.config.boost

        model = Scorer()
        record = run_trial(model, "train", judge, 0, GO_ON, never_pruned)
        # From 2: down to 1, which is worse; up to 4, better; to 8, worse, so that 0 is never asked. Then boost.
        assert asked == [(2.0, 1.0), (1.0, 1.0), (4.0, 1.0), (8.0, 1.0), (4.0, 3.0)]
        assert record.value == pytest.approx(1.2)
        assert record.params == {"half_life": 4.0, "boost": 3.0} == model.config.model_dump()
        assert model.fitted_on == ["train"], "the search costs no fit"
        assert record.curve == []

    def test_the_climb_starts_at_the_value_nearest_in_ratio(self):
        asked = []

        def judge(model):
            asked.append(model.config.half_life)
            return 0.5

        run_trial(Scorer(half_life=5.0, boost=1.0), None, judge, 0, GO_ON, never_pruned)
        # Nothing is better than 5, the value configured: 4 on the way down, and 8 on the way up.
        assert asked == [5.0, 4.0, 8.0, 5.0]

    def test_zero_stands_for_no_decay_at_all(self):
        asked = []

        def judge(model):
            asked.append(model.config.half_life)
            return 1.0 if model.config.half_life == 0 else 0.5

        record = run_trial(Scorer(half_life=500.0), None, judge, 0, GO_ON, never_pruned)
        assert asked[:2] == [500.0, 0.0]
        assert record.params["half_life"] == 0.0


def test_a_failed_fit_is_told():
    class Broken(Scorer):
        def fit(self, data):
            raise RuntimeError("the matrix is not positive definite")

    with pytest.raises(RuntimeError, match="not positive definite"):
        run_trial(Broken(), None, lambda model: 1.0, 0, GO_ON, never_pruned)


def test_time_and_memory_are_measured():
    record = run_trial(Scorer(), None, lambda model: 1.0, 0, GO_ON, never_pruned)
    assert 0 <= record.seconds < 60
    assert record.memory_mib > 50, "Python with torch needs more"
