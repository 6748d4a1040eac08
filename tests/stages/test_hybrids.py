"""Stage 4: what a hybrid depends on, how it comes back, members that earn no weight."""

import numpy as np

from recsys.metrics.evaluation import evaluate
from recsys.report.notes import idle
from recsys.stages import candidates
from recsys.stages.hybrids import fit_hybrids, restored


def test_hybrids_come_back_as_they_were_fitted(configure, stages):
    config = configure(hybrid={"methods": ["weighted", "cascade"], "folds": 2})
    run = stages(config)
    members = {name: candidates.on_train(one, config, run.prepared) for name, one in run.fitted.items()}
    assert list(run.outcome.cross_validated) == ["weighted", "cascade"]
    assert run.outcome.members == ("popularity", "ease")
    for name, weights in run.outcome.weights.items():
        hybrid = restored(name, run.outcome, members)
        assert hybrid.weights() == weights
        assert np.isfinite(hybrid.score(run.prepared.split.validation.history)).all()


def test_validation_is_measured_as_the_test_is(configure, stages, tmp_path):
    """Where items have attributes, these say how unlike the items of a list are."""
    (tmp_path / "items.csv").write_text("item_id,colour\n" + "".join(f"{n},{'rgb'[n % 3]}\n" for n in range(101, 125)))
    run = stages(configure(data={"items": str(tmp_path / "items.csv")}))
    split = run.prepared.split
    model = candidates.on_train(run.fitted["ease"], configure(), run.prepared)
    by_attributes = evaluate(model, split.validation, split.train, item_features=split.data.item_features)
    assert run.outcome.validation["ease"]["diversity@10"] == by_attributes.aggregate["diversity@10"]
    assert (
        by_attributes.aggregate["diversity@10"]
        != evaluate(model, split.validation, split.train).aggregate["diversity@10"]
    )


def test_other_settings_or_other_candidates_are_fitted_anew(configure, stages):
    run = stages(configure())

    def key(fitted, **hybrid):
        return fit_hybrids(configure(hybrid={"methods": ["weighted"], "folds": 2, **hybrid}), run.prepared, fitted)

    assert key(run.fitted)[1] is True
    assert key(run.fitted, pool=50)[1] is False
    outcome, reused = key({"popularity": run.fitted["popularity"]})
    assert (outcome.members, reused) == (("popularity",), False)


def test_the_ablation_says_what_each_member_is_good_for(configure, stages):
    run = stages(configure())
    assert set(run.outcome.ablation) == {"popularity", "ease"}
    # Who knows which camp a user belongs to: without it, half of what is shown is of the other camp.
    assert run.outcome.ablation["ease"] < -0.05
    assert run.outcome.weights["weighted"]["ease"] > 0.5


def test_members_without_any_weight_are_told(configure, stages):
    """Two that know nothing but the first letter beside one that knows the camp: told by name, popularity never."""
    params = {"multvae": {"epochs": 1, "lr": 1e-9, "width": 4}}
    chosen = {"candidates": ["popularity", "ease", "multvae"], "device": "cpu", "params": params}
    run = stages(configure(models=chosen, hybrid={"methods": ["switching"], "folds": 2}))
    weights = run.outcome.weights["switching"]
    assert [name for name in ("ease", "multvae") if weights[name] == 0] == ["multvae"]
    costly = run.fitted["multvae"].model_copy(update={"fit_seconds": 100 - run.fitted["multvae"].tuned.seconds})
    assert idle({**run.fitted, "multvae": costly}, run.outcome) == (
        "multvae earned no weight in any hybrid, and the chosen one is as good without it: leave it out of "
        "models.candidates to save its 1m 40s",
    )
    missed = run.outcome.model_copy(update={"ablation": {**run.outcome.ablation, "multvae": -0.001}})
    assert idle(run.fitted, missed) == ()
