"""A pipeline small enough to run all its stages in a second, without Prefect."""

from types import SimpleNamespace

import pytest

from recsys import registry, tracking
from recsys.config import parse
from recsys.models.table import create
from recsys.serving.bundle import Manifest, write_bundle
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


@pytest.fixture
def install(tmp_path, stages, configure):
    """Makes a champion that recommends what is popular; returns its version."""
    split = stages(configure()).prepared.split
    bundle = tmp_path / "popular"
    manifest = Manifest(
        name="toy",
        model="popularity",
        fitted_on="train+validation",
        config_digest="0" * 16,
        dataset_digest="0" * 16,
        split_method="leave_last",
        test_start=int(split.test_events.time.min()),
        last_event=int(split.data.interactions.time.max()),
    )
    popularity = create("popularity").fit(split.for_test)
    write_bundle(bundle, manifest, split, serving=popularity, evaluated=popularity, fallback=popularity)

    def now():
        number = registry.register(bundle, "recsys-toy", tracking.start("toy", "popular").id)
        registry.promote("recsys-toy", number, {}, against=registry.champion("recsys-toy"))
        return number

    return now
