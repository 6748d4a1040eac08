"""Tasks called as functions, without Prefect: the run goes on without a candidate that is refused."""

from recsys.config import parse
from recsys.report.assemble import assemble
from recsys.stages.candidates import first_look, refit
from recsys.stages.evaluate import evaluate_models
from recsys.stages.hybrids import fit_hybrids
from recsys.stages.preprocess import preprocess
from recsys.stages.promote import Promotion
from recsys.stages.workspace import prepared_set
from tasks.clock import Clock
from tasks.models import admit


def test_a_refused_candidate_is_told_in_the_scorecard_and_the_run_goes_on(tmp_path, toy_events):
    toy_events().to_csv(tmp_path / "events.csv", index=False)
    config = parse(
        {
            "name": "toy",
            "store": str(tmp_path / "store"),
            "data": {"path": str(tmp_path / "events.csv")},
            "split": {"method": "leave_last"},
            # 24 items cost next to nothing: it is work space, 64 MiB for EASE, twice that for ALS.
            "models": {"candidates": ["als", "ease"], "memory_gib": 0.1, "device": "cpu"},
            "tuning": {"trials": 1},
            "hybrid": {"methods": ["weighted"], "folds": 2},
        }
    )
    folder, _ = preprocess(config)
    refused = admit.fn(config, folder)
    assert list(refused) == ["popularity", "als", "ease"]
    assert (refused["popularity"], refused["ease"]) == (None, None)
    assert refused["als"].startswith("als is left out: 420 events of 60 users on 24 items need an estimated 0.1 GiB, ")
    assert refused["als"].endswith("models.memory_gib allows 0.1")

    prepared = prepared_set(folder)
    first = {name: first_look(name, config, prepared, 3600) for name in ("popularity", "ease")}
    fitted = {name: refit(one, config, prepared) for name, one in first.items()}
    outcome = fit_hybrids(config, prepared, fitted)[0]
    tested = evaluate_models(config, prepared, fitted, outcome)[0]
    promotion = Promotion(promoted=False, reasons=("-",), gain=None, champion=None, version=None, serving="all events")
    card = assemble(config, prepared, fitted, outcome, tested, promotion, Clock().timings(), (refused["als"],))
    assert list(card.models) == ["popularity", "ease", "weighted"]
    assert set(card.hybrid.weights) == {"popularity", "ease"}
    assert card.notes[0] == refused["als"]


def test_popularity_is_never_refused(tmp_path, toy_events):
    """It is the floor and the fallback of everything else."""
    toy_events().to_csv(tmp_path / "events.csv", index=False)
    sections = {"data": {"path": str(tmp_path / "events.csv")}, "split": {"method": "leave_last"}}
    config = parse({"name": "toy", "store": str(tmp_path / "store"), "models": {"memory_gib": 1e-9}, **sections})
    refused = admit.fn(config, preprocess(config)[0])
    assert [name for name, reason in refused.items() if reason is None] == ["popularity"]
