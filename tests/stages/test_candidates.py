"""Stage 3: what is searched again and what is not, candidates that are refused, kill -9 in the middle of a trial."""

import logging
import re
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from recsys.errors import InputError
from recsys.models import als
from recsys.models.als import ALS, ALSConfig
from recsys.models.base import Choice
from recsys.models.multvae import MultVAE
from recsys.models.table import TABLE
from recsys.stages import candidates
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import prepared_set

HOUR = 3600.0

UNTIL_KILLED = """
import logging, os, signal, sys
from recsys.config import Config
from recsys.stages.candidates import first_look, search
from recsys.stages.preprocess import preprocess
from recsys.stages.sharing import earned
from recsys.stages.workspace import prepared_set
from recsys.tuning import study

def report(trial, value, epoch, whole=study._report):
    if trial.study.study_name == "multvae" and trial.number == 1 and epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(trial, value, epoch)

study._report = report
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
config = Config.model_validate_json(sys.argv[1])
prepared = prepared_set(preprocess(config)[0])
first = {name: first_look(name, config, prepared, 3600) for name in config.models.candidates}
shares = earned(config, prepared, first)
for name, one in first.items():
    search(one, config, prepared, shares[name], 3600)
"""
MEASURED = {"seconds", "fit_seconds", "memory_mib", "number", "reused", "refit_reused", "folder"}


def lasting(told):
    """What must be equal in every run, to the last digit: all but times, places and what was re-used."""
    if isinstance(told, dict):
        return {key: lasting(value) for key, value in told.items() if key not in MEASURED}
    return [lasting(value) for value in told] if isinstance(told, list) else told


def trials_run(log):
    """model -> numbers of the trials that a log tells of."""
    told = re.findall(r"^(\w+): trial (\d+) of \d+ (?:complete|pruned)", log, re.MULTILINE)
    return {model: [int(number) for name, number in told if name == model] for model, _ in told}


def test_after_kill_9_finished_trials_are_not_run_again_and_the_result_is_the_same(configure, stages, tmp_path, caplog):
    sections = {
        "models": {
            "candidates": ["popularity", "ease", "multvae"],
            "device": "cpu",
            "params": {"multvae": {"epochs": 4, "width": 20}},
        },
        "tuning": {"trials": 3},
        "hybrid": {"methods": ["weighted", "cascade"], "folds": 2},
    }
    config = configure(store=tmp_path / "killed", **sections)
    command = [sys.executable, "-c", UNTIL_KILLED, config.model_dump_json()]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    whole = stages(configure(store=tmp_path / "whole", **sections))
    _, log = killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL, log
    assert trials_run(log) == {"popularity": [1, 2, 3], "ease": [1, 2, 3], "multvae": [1]}

    caplog.clear()
    with caplog.at_level(logging.INFO, "recsys"):
        resumed = stages(config)
    log = "\n".join(caplog.messages)
    assert trials_run(log) == {"multvae": [2, 3]}
    assert resumed.earned == whole.earned
    assert "popularity: 3 of 3 trials are done already" in log
    assert "multvae: 1 of 3 trials are done already" in log
    assert re.search(r"^preprocess: .* the prepared set \w+ is re-used$", log, re.MULTILINE)
    for stage in ("outcome", "tested"):
        assert lasting(getattr(resumed, stage).model_dump()) == lasting(getattr(whole, stage).model_dump())
    for name, one in resumed.fitted.items():
        assert lasting(one.model_dump()) == lasting(whole.fitted[name].model_dump())


def test_a_second_run_finds_everything_again(configure, stages):
    first, second = stages(configure()), stages(configure())
    assert first.reused == (False,) * 5
    assert second.reused == (True,) * 5
    assert second.tested == first.tested
    assert second.outcome == first.outcome
    for name, one in second.fitted.items():
        assert one.tuned.trials == first.fitted[name].tuned.trials
        assert one.tuned.reused == 1
        assert one.fit_seconds == first.fitted[name].fit_seconds


def test_more_trials_go_on_and_other_settings_start_anew(configure):
    prepared = prepared_set(preprocess(configure())[0])

    def reused(**sections):
        config = configure(**sections)
        first = candidates.first_look("ease", config, prepared, HOUR)
        candidates.search(first, config, prepared, 1.0, HOUR)
        return first.tuned.reused

    assert reused() == 0
    assert reused(tuning={"trials": 3, "timeout": 5}) == 1
    assert reused(tuning={"trials": 3, "seed": 1}) == 0
    assert reused(seed=1) == 0
    assert reused(models={"params": {"ease": {"reg": 7.0}}}) == 0
    assert reused(models={"params": {"als": {"factors": 7}}}) == 1, "what concerns another model does not matter"


def test_the_refit_knows_the_validation_events(configure, stages):
    config = configure()
    run = stages(config)
    split = run.prepared.split
    on_train = candidates.on_train(run.fitted["popularity"], config, run.prepared)
    refit = candidates.on_train_and_validation(run.fitted["popularity"], config)
    for model, log in ((on_train, split.for_validation), (refit, split.for_test)):
        expected = candidates.create("popularity", run.fitted["popularity"].tuned.params).fit(log)
        np.testing.assert_array_equal(model.score(split.test.history), expected.score(split.test.history))
    assert (on_train.log_count != refit.log_count).any()


class TestRefusal:
    @pytest.fixture
    def prepared(self, configure, tmp_path):
        """4,000 items, each met by three of 100 users."""
        event = np.arange(12_000)
        log = pd.DataFrame({"user_id": (event + event // 4000) % 100, "item_id": event % 4000, "timestamp": event})
        log.to_csv(tmp_path / "many.csv", index=False)
        return prepared_set(preprocess(configure(data={"path": str(tmp_path / "many.csv")}))[0])

    def test_a_candidate_over_the_budget_is_refused_with_its_estimate(self, configure, prepared):
        config = configure(models={"memory_gib": 0.05})
        # 4 n² bytes are 64 MB, the blocks they are made of as much again.
        assert candidates.refusal("ease", config, prepared) == (
            "ease is left out: 11,900 events of 100 users on 4,000 items need an estimated 0.1 GiB, "
            "models.memory_gib allows 0.05"
        )

    def test_one_within_the_budget_is_not(self, configure, prepared):
        assert candidates.refusal("ease", configure(models={"memory_gib": 0.15}), prepared) is None

    def test_the_search_goes_no_further_than_the_budget(self, configure, prepared):
        """A fit of multvae with 256 wide vectors takes 70 MiB, with 512 wide ones 125."""
        tight, wide = (configure(models={"memory_gib": gib}) for gib in (0.08, 4.0))
        for name, searched in TABLE.items():
            assert candidates.space_within(name, wide, prepared) == searched.SPACE
        assert candidates.refusal("multvae", tight, prepared) is None
        assert candidates.space_within("multvae", tight, prepared) == {
            **MultVAE.SPACE,
            "width": Choice(values=(128, 256)),
        }

    def test_up_to_the_last_number_that_fits(self, configure, prepared):
        data = prepared.split.for_test
        config = configure(models={"memory_gib": (4 * als.BLOCK_BYTES + 24 * len(data.interactions)) / 2**30 + 0.006})
        highest = candidates.space_within("als", config, prepared)["factors"].high
        needed = [ALS.memory_bytes(ALSConfig(factors=d), data) / 2**30 for d in (highest, highest + 1)]
        assert needed[0] <= config.models.memory_gib < needed[1]

    def test_the_trials_stay_within_it(self, configure, prepared, tmp_path):
        config = configure(
            data={"path": str(tmp_path / "many.csv")},
            models={"candidates": ["popularity", "multvae"], "memory_gib": 0.08, "params": {"multvae": {"epochs": 1}}},
            tuning={"trials": 6},
        )
        first = candidates.first_look("multvae", config, prepared, 3600)
        found = candidates.search(first, config, prepared, 1.0, 3600)
        assert {trial.params["width"] for trial in found.tuned.trials} == {128, 256}
        wider = config.model_copy(update={"models": config.models.model_copy(update={"memory_gib": 4.0})})
        assert candidates.first_look("multvae", wider, prepared, 3600).folder != found.folder


class TestCheck:
    def test_good_parameters(self, configure):
        candidates.check(configure(models={"params": {"ease": {"reg": 10.0}}}))

    def test_the_device_is_that_of_another_machine(self, configure):
        """As where a laptop deploys what a worker with a GPU trains."""
        candidates.check(configure(models={"device": "cuda"}))

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"esae": {"reg": 1.0}}, "unknown model 'esae': did you mean 'ease'?"),
            ({"ease": {"rge": 1.0}}, "models.params.ease.rge: did you mean 'reg'?"),
            (
                {"sasrec": {"width": 0}},
                "models.params.sasrec.width: Input should be greater than or equal to 4 (seen: 0)",
            ),
        ],
    )
    def test_wrong_ones(self, configure, params, message):
        """Whether the model is a candidate or not."""
        with pytest.raises(InputError, match=re.escape(message)):
            candidates.check(configure(models={"candidates": ["popularity"], "params": params}))


def test_the_search_leaves_out_what_does_not_go_with_what_is_configured(configure):
    config = configure(models={"candidates": ["popularity", "sasrec"], "params": {"sasrec": {"width": 96, "heads": 3}}})
    prepared = prepared_set(preprocess(config)[0])
    assert candidates.space_within("sasrec", config, prepared)["width"] == Choice(values=(48, 96))
