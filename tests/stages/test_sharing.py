"""The blend of the first models: who earns what, and that a resumed run shares alike."""

import pytest

from recsys.report.notes import unearned
from recsys.stages import sharing


@pytest.fixture
def config(configure):
    """Two that know a user's camp beside popularity, which does not."""
    params = {"multvae": {"epochs": 1, "width": 4}}
    chosen = {"candidates": ["popularity", "ease", "multvae"], "device": "cpu", "params": params}
    return configure(models=chosen, tuning={"trials": 3})


def test_what_knows_the_camp_earns_more_than_what_does_not(config, stages):
    run = stages(config)
    assert list(run.earned) == ["popularity", "ease", "multvae"]
    assert sum(run.earned.values()) == pytest.approx(1.0, abs=1e-3)
    assert run.earned["ease"] > 4 * run.earned["popularity"]
    for name, one in run.fitted.items():
        assert (one.earned, one.granted_seconds) == (run.earned[name], 3600.0)


def test_the_search_goes_on_from_the_first_look(config, stages):
    run = stages(config)
    for name, first in run.first.items():
        assert len(first.tuned.trials) == 1
        assert run.fitted[name].tuned.trials[:1] == first.tuned.trials
        assert len(run.fitted[name].tuned.trials) == 3


def test_a_resumed_run_finds_the_shares_and_blends_nothing(config, stages, monkeypatch):
    run = stages(config)

    def blended(*arguments):
        raise AssertionError("blended again")

    monkeypatch.setattr(sharing, "build_pool", blended)
    assert sharing.earned(config, run.prepared, run.first) == run.earned
    with pytest.raises(AssertionError, match="blended again"):
        sharing.earned(config, run.prepared, {name: run.first[name] for name in ("popularity", "ease")})


def test_who_earned_nothing_is_said_to_have_had_its_even_part(config, stages):
    fitted = {
        name: one.model_copy(update={"earned": earned, "granted_seconds": 12.0})
        for (name, one), earned in zip(stages(config).fitted.items(), (0.0, 1.0, 0.0), strict=True)
    }
    assert unearned(fitted) == (
        "multvae earned nothing in the blend of the first models: to search with it had only its even part and what "
        "others left, 12 s",
    )
