"""Studies on disk: where they start, what they draw, how they resume, what they do with models that fail."""

import logging
import re

import numpy as np
import pytest

from recsys.config import TuningSection
from recsys.errors import InputError
from recsys.models.base import Choice, Range
from recsys.models.ease import EASE
from recsys.models.multvae import MultVAE
from recsys.tuning import study
from recsys.tuning.study import MOST_FAILURES, best_model, tune

HOUR = 3600.0


@pytest.fixture(scope="module")
def split(toy_split):
    return toy_split()


@pytest.fixture(autouse=True)
def _spaces(monkeypatch):
    """Search spaces that stay when those of the models are tuned."""
    monkeypatch.setattr(EASE, "SPACE", {"reg": Range(low=10, high=1000, log=True), "user_norm": Range(low=0, high=1)})
    monkeypatch.setattr(EASE, "SCORING", {"half_life": (1.0, 4.0, 0.0)})
    monkeypatch.setattr(MultVAE, "SPACE", {"lr": Choice(values=(0.01, 1e-9))})
    monkeypatch.setattr(MultVAE, "SCORING", {})


@pytest.fixture
def search(split, tmp_path):
    """Tune in a folder of this test."""

    def tuned(
        name="ease", start=None, folder="study", seconds=HOUR, on_trial=lambda record: None, first_only=False, **config
    ):
        return tune(
            name,
            split.for_validation,
            split.validation,
            TuningSection(**config),
            start or {},
            folder=tmp_path / folder,
            seconds=seconds,
            on_trial=on_trial,
            first_only=first_only,
        )

    return tuned


def told(tuned):
    """What must be equal where nothing but time differs; a trial that a kill repeats has another number."""
    return [record.model_dump(exclude={"number", "seconds", "memory_mib"}) for record in tuned.trials]


class TestStart:
    def test_defaults_come_first(self, search):
        first = search(trials=1).trials[0]
        config = EASE.Config()
        assert {key: first.params[key] for key in EASE.SPACE} == {key: getattr(config, key) for key in EASE.SPACE}

    def test_configured_parameters_come_first_where_there_are_any(self, search):
        records = search(start={"reg": 50.0}, trials=2).trials
        assert records[0].params["reg"] == 50.0
        assert records[1].params["reg"] not in (50.0, EASE.Config().reg)
        assert 10 <= records[1].params["reg"] <= 1000

    def test_what_is_set_outside_its_range_stays(self, search):
        records = search(start={"reg": 5.0}, trials=3).trials
        assert [record.params["reg"] for record in records] == [5.0, 5.0, 5.0]
        assert len({record.params["user_norm"] for record in records}) == 3

    def test_the_largest_seed_starts_like_any_other(self, search):
        assert len(search(trials=2, seed=2**32 - 1).trials) == 2

    def test_what_is_not_searched_stays(self, search):
        records = search("multvae", start={"width": 7, "lr": 0.01, "epochs": 1}, trials=2).trials
        assert [record.params["width"] for record in records] == [7, 7]


class TestBest:
    def test_the_best_trial_gives_value_and_parameters(self, search):
        tuned = search(trials=4)
        values = [record.value for record in tuned.trials]
        best = tuned.trials[int(np.argmax(values))]
        assert (tuned.name, tuned.value, tuned.params) == ("ease", max(values), best.params)
        assert tuned.seconds == pytest.approx(sum(record.seconds for record in tuned.trials))

    def test_its_model_stays_on_disk_and_no_other(self, search, split, tmp_path, monkeypatch):
        """Four trials, the third the best, each of the first three better than the one before."""
        values = iter([0.1, 0.2, 0.3, 0.2])
        monkeypatch.setattr(EASE, "SCORING", {})
        monkeypatch.setattr(study, "score_metric", lambda *_: next(values))
        tuned = search(trials=4)
        (kept,) = (tmp_path / "study").glob("best-*")
        assert kept.name == "best-2"
        model = best_model(tuned, split.for_validation, tmp_path / "study")
        assert model.config.model_dump() == tuned.params

    def test_a_model_that_was_deleted_is_fitted_again(self, search, split, tmp_path):
        tuned = search("multvae", start={"lr": 0.01, "epochs": 3}, trials=1)
        history = split.validation.history
        kept = best_model(tuned, split.for_validation, tmp_path / "study").score(history)
        again = best_model(tuned, split.for_validation, tmp_path / "elsewhere").score(history)
        np.testing.assert_array_equal(kept, again)

    def test_scoring_parameters_are_searched_in_every_trial(self, search):
        """Half-lives of 1, 4 and 0 are tried from 10, the default; what was best is what the trial reports."""
        for record in search(trials=3).trials:
            assert record.params["half_life"] in (1.0, 4.0, 0.0, EASE.Config().half_life)


class TestResume:
    def test_a_resumed_search_ends_as_an_uninterrupted_one(self, search):
        whole = search(folder="whole", trials=6, seed=3)
        part = search(folder="parts", trials=2, seed=3)
        rest = search(folder="parts", trials=6, seed=3)
        assert (whole.reused, part.reused, rest.reused) == (0, 0, 2)
        assert told(rest) == told(whole)
        assert rest.trials[:2] == part.trials, "found again, seconds and all"
        assert (rest.params, rest.value) == (whole.params, whole.value)

    def test_a_first_trial_that_was_cut_short_is_taken_up_as_it_was(self, search, monkeypatch):
        def cut(self, data):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(EASE, "fit", cut)
            with pytest.raises(KeyboardInterrupt):
                search(start={"reg": 50.0}, trials=2)
        records = search(start={"reg": 50.0}, trials=2).trials
        assert [record.number for record in records] == [1, 2]
        assert (records[0].params["reg"], records[0].params["user_norm"]) == (50.0, EASE.Config().user_norm)

    def test_after_the_first_trial_alone_the_search_goes_on_as_if_it_had_never_stopped(self, search):
        whole = search(folder="whole", trials=4)
        first = search(folder="parts", trials=4, first_only=True)
        assert told(first) == told(whole)[:1]
        assert told(search(folder="parts", trials=4)) == told(whole)
        assert search(folder="parts", trials=4, first_only=True).trials == first.trials, "whatever came after it"

    def test_a_trial_that_could_not_be_told_of_is_told_by_the_next_call(self, search):
        """MLflow was away for too long, say."""
        heard = []

        def away(record):
            if record.number == 1:
                raise ConnectionError
            heard.append(record.number)

        with pytest.raises(ConnectionError):
            search(trials=3, on_trial=away)
        assert heard == [0]
        search(trials=3, on_trial=lambda record: heard.append(record.number))
        assert heard == [0, 1, 2]
        search(trials=3, on_trial=lambda record: heard.append(record.number))
        assert heard == [0, 1, 2]

    def test_a_line_that_a_full_disk_cut_short_is_written_again(self, search, tmp_path):
        whole = told(search(trials=4, folder="whole"))
        search(trials=3)
        journal = tmp_path / "study" / "study.log"
        journal.write_bytes(journal.read_bytes()[:-10])
        assert told(search(trials=3)) == whole[:3]
        assert told(search(trials=4)) == whole

    def test_another_seed_draws_otherwise(self, search):
        one, other = (search(folder=f"seed-{seed}", trials=2, seed=seed).trials for seed in (0, 1))
        assert one[0].params["reg"] == other[0].params["reg"], "defaults come first"
        assert one[1].params["reg"] != other[1].params["reg"]

    def test_nothing_is_left_to_do(self, search, caplog):
        heard = []
        search(trials=2, on_trial=heard.append)
        assert [record.number for record in heard] == [0, 1]
        caplog.clear()
        with caplog.at_level(logging.INFO, "recsys"):
            again = search(trials=2, on_trial=heard.append)
        assert len(heard) == 2
        assert again.reused == 2
        assert caplog.messages == ["ease: 2 of 2 trials are done already"]

    def test_fewer_trials_are_the_first_of_those_there_are(self, search):
        many, few = search(trials=4), search(trials=2)
        assert few.trials == many.trials[:2]
        assert few.value == max(record.value for record in few.trials)
        assert few.reused == 2


class TestTime:
    def test_without_time_there_is_one_trial(self, search):
        assert len(search(trials=5, seconds=0.0).trials) == 1

    def test_time_spent_in_earlier_runs_counts(self, search):
        spent = search(trials=2).seconds
        assert len(search(trials=5, seconds=spent).trials) == 2
        assert len(search(trials=5, seconds=HOUR).trials) == 5

    def test_a_fit_that_would_not_end_in_time_does_not_start(self, search):
        """Time for one trial and a half, where a closed form takes as long as it takes."""
        first = search(trials=1).seconds
        assert len(search(trials=5, seconds=1.5 * first).trials) == 1


class TestPruning:
    def test_what_does_not_learn_is_pruned_and_counts_as_a_trial(self, search, monkeypatch):
        monkeypatch.setattr(study, "STARTUP_TRIALS", 1)
        tuned = search("multvae", start={"lr": 0.01, "epochs": 8, "width": 40}, trials=8)
        assert len(tuned.trials) == 8
        pruned = [record for record in tuned.trials if record.state == "pruned"]
        assert pruned
        assert {record.params["lr"] for record in pruned} == {1e-9}
        # MedianPruner lets two epochs pass.
        assert all(3 <= len(record.curve) < 8 for record in pruned)
        assert tuned.params["lr"] == 0.01


class TestFailures:
    def test_a_trial_that_fails_is_drawn_anew(self, search, monkeypatch, caplog):
        """Every other draw fails; the study still gets all its trials, none of them the same."""
        fits = []

        def fit(self, data, whole=EASE.fit):
            fits.append(self.config.reg)
            if len(fits) % 2 == 0:
                raise RuntimeError("the factorisation broke down")
            return whole(self, data)

        monkeypatch.setattr(EASE, "fit", fit)
        tuned = search(trials=3)
        assert len(set(fits)) == len(fits) == 5, "a draw that failed is not drawn again"
        assert [record.params["reg"] for record in tuned.trials] == fits[::2]
        assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
            "ease: trial 1 failed: the factorisation broke down",
            "ease: trial 3 failed: the factorisation broke down",
        ]

    def test_scores_that_are_no_numbers_are_a_failure(self, search, monkeypatch, caplog):
        fits = []

        def fit(self, data, whole=EASE.fit):
            fits.append(whole(self, data))
            if len(fits) == 2:
                self.B.fill_(float("nan"))
            return self

        monkeypatch.setattr(EASE, "fit", fit)
        assert len(search(trials=2).trials) == 2
        (warning,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        assert re.match(r"ease: trial 1 failed: \w+ gave \d+ scores that are not finite", warning)

    def test_wrong_input_is_no_failure_of_a_trial(self, search):
        with pytest.raises(InputError, match="ndgc@10"):
            search(trials=2, metric="ndgc@10")

    def test_a_search_with_failures_resumes_as_if_uninterrupted(self, search, monkeypatch):
        def fit(self, data, whole=EASE.fit):
            if int(self.config.reg * 1000) % 3 == 2:  # about a third of all draws
                raise RuntimeError("the factorisation broke down")
            return whole(self, data)

        monkeypatch.setattr(EASE, "fit", fit)
        start = {"reg": 100.0}
        whole = search(folder="whole", start=start, trials=4)
        for trials in (2, 4):
            parts = search(folder="parts", start=start, trials=trials)
        assert len({record.number for record in whole.trials}) == 4
        assert whole.trials[-1].number > 3, "some draws failed, else this test shows nothing"
        assert told(parts) == told(whole)

    def test_a_model_that_always_fails_ends_the_search(self, search, monkeypatch):
        fits = []

        def fit(self, data):
            fits.append(self.config.reg)
            raise RuntimeError("no such device")

        monkeypatch.setattr(EASE, "fit", fit)
        with pytest.raises(RuntimeError, match="no such device"):
            search(trials=10)
        assert len(fits) == MOST_FAILURES + 1

    def test_a_bug_is_no_failed_trial(self, search, monkeypatch):
        monkeypatch.setattr(EASE, "fit", lambda self, data: [][0])
        with pytest.raises(IndexError):
            search(trials=2)


class TestJudging:
    def test_at_most_so_many_validation_users_are_scored(self, search, split, monkeypatch):
        asked = []

        def score(self, history, whole=EASE.score):
            asked.append(history.n_users)
            return whole(self, history)

        monkeypatch.setattr(EASE, "score", score)
        monkeypatch.setattr(EASE, "SCORING", {})
        search(folder="some", trials=1, max_users=12)
        assert sum(asked) == 12
        asked.clear()
        search(folder="all", trials=1)
        assert sum(asked) == len(split.validation) == 60

    def test_another_metric_is_maximised(self, search):
        ndcg, recall = (search(folder=metric, trials=1, metric=metric).value for metric in ("ndcg@10", "recall@10"))
        assert recall != ndcg
        assert 0 < ndcg < recall <= 1
