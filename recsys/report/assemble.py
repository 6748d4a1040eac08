"""The scorecard put together from what the stages returned."""

from collections.abc import Mapping

from recsys.config import Config
from recsys.data.prepared import Prepared
from recsys.hybrid.pool import FLOOR
from recsys.report.environment import environment
from recsys.report.notes import idle, undated, unearned
from recsys.report.scorecard import (
    DataOf,
    DatasetRecord,
    GainRecord,
    HybridRecord,
    ModelRecord,
    PromotionRecord,
    Scorecard,
    SplitRecord,
    TimingsRecord,
)
from recsys.stages.candidates import Fitted, device_of
from recsys.stages.evaluate import Tested
from recsys.stages.hybrids import Chosen
from recsys.stages.promote import Promotion


def assemble(
    config: Config,
    prepared: Prepared,
    fitted: Mapping[str, Fitted],
    outcome: Chosen,
    tested: Tested,
    promotion: Promotion,
    timings: Mapping[str, float],
    notes: tuple[str, ...],
) -> Scorecard:
    """Every figure of a run, with the data it comes from."""
    candidates = {name: _candidate(name, one, outcome, tested) for name, one in fitted.items()}
    fit_seconds = sum(one.fit_seconds for one in fitted.values())
    hybrids = {name: _hybrid(name, outcome, tested, fit_seconds) for name in outcome.cross_validated}
    gain = promotion.gain
    return Scorecard(
        dataset=DatasetRecord.of(prepared.summary),
        split=SplitRecord.model_validate(prepared.summary["split"]),
        models={**candidates, **hybrids},
        hybrid=HybridRecord(
            chosen=outcome.chosen,
            weights=outcome.weights[outcome.chosen],
            ablation=outcome.ablation,
            cv=outcome.cross_validated,
        ),
        segments={name: dict(parts) for name, parts in tested.segments.items()},
        promotion=PromotionRecord(
            promoted=promotion.promoted,
            reasons=promotion.reasons,
            champion_version=promotion.champion,
            gain=None if gain is None else GainRecord(mean=gain[0], lo=gain[1], hi=gain[2]),
        ),
        timings=TimingsRecord.model_validate(dict(timings)),
        environment=environment(device_of(config)),
        data_of=DataOf(serving=promotion.serving),
        notes=(
            *notes,
            *undated(prepared.split.data.interactions, config.split.method),
            *unearned(fitted),
            *idle(fitted, outcome),
        ),
    )


def histories(fitted: Mapping[str, Fitted]) -> dict[str, list[float]]:
    """Candidate -> validation metric of each trial, for the figure of the search."""
    return {name: [record.value for record in one.tuned.trials] for name, one in fitted.items()}


def _candidate(name: str, fitted: Fitted, outcome: Chosen, tested: Tested) -> ModelRecord:
    return ModelRecord(
        kind="baseline" if name == FLOOR else "candidate",
        params=fitted.tuned.params,
        fit_seconds=fitted.fit_seconds,
        tune_seconds=fitted.tuned.seconds,
        trials=len(fitted.tuned.trials),
        earned=fitted.earned,
        granted_seconds=fitted.granted_seconds,
        validation=outcome.validation[name],
        test=tested.metrics[name],
        test_ci=tested.intervals[name],
    )


def _hybrid(name: str, outcome: Chosen, tested: Tested, fit_seconds: float) -> ModelRecord:
    return ModelRecord(
        kind="hybrid",
        params={"weights": dict(outcome.weights[name])},
        fit_seconds=fit_seconds,
        validation={"ndcg@10": outcome.cross_validated[name]},
        test=tested.metrics[name],
        test_ci=tested.intervals[name],
    )
