"""A pipeline small enough to run all its stages in a second, without Prefect."""

from types import SimpleNamespace

import pytest

from recsys.config import parse
from recsys.stages import candidates, evaluate, hybrids, sharing
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import prepared_set

HOUR = 3600.0


@pytest.fixture
def configure(tmp_path, toy_events):
    """Configurations of a toy log of 60 users and 24 items in two camps, in `tmp_path`; sections as arguments."""
    log = tmp_path / "events.csv"
    if not log.exists():
        toy_events().to_csv(log, index=False)

    def make(store=tmp_path / "store", data=None, **sections):
        given = {
            "name": "toy",
            "store": str(store),
            "data": {"path": str(log), **(data or {})},
            "split": {"method": "leave_last"},
            "models": {"candidates": ["popularity", "ease"], "device": "cpu"},
            "tuning": {"trials": 1},
            "hybrid": {"methods": ["weighted"], "folds": 2},
            "promotion": {"bootstrap": 200},
        }
        return parse({**given, **sections})

    return make


@pytest.fixture
def stages():
    """Runs the stages up to the test, and tells what each of them gave."""

    def run(config):
        folder, prepared_again = preprocess(config)
        prepared = prepared_set(folder)
        names = config.models.candidates
        first = {name: candidates.first_look(name, config, prepared, HOUR) for name in names}
        earned = sharing.earned(config, prepared, first)
        searched = {name: candidates.search(first[name], config, prepared, earned[name], HOUR) for name in names}
        fitted = {name: candidates.refit(searched[name], config, prepared) for name in names}
        outcome, combined_again = hybrids.fit_hybrids(config, prepared, fitted)
        tested, tested_again = evaluate.evaluate_models(config, prepared, fitted, outcome)
        return SimpleNamespace(
            prepared=prepared,
            first=first,
            earned=earned,
            fitted=fitted,
            outcome=outcome,
            tested=tested,
            reused=(prepared_again, *(one.refit_reused for one in fitted.values()), combined_again, tested_again),
        )

    return run
