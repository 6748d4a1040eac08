"""What MLflow keeps: a run a pipeline, under it a run a candidate and hybrid, under those a run a trial.

Metrics are named `test/ndcg@10`: MLflow groups charts by what stands before the slash.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from recsys import tracking
from recsys.config import Config, digest
from recsys.stages.candidates import Fitted
from recsys.stages.evaluate import Tested
from recsys.stages.hybrids import Chosen
from recsys.stages.monitor import Watched
from recsys.stages.promote import Promotion
from recsys.stages.workspace import prepared_set
from recsys.tracking import Run
from recsys.tuning.trial import TrialRecord

SETTINGS = {"split", "models", "tuning", "hybrid", "promotion"}
"""Sections of the configuration that become parameters of a run."""


@task(cache_policy=NO_CACHE)
def begin(config: Config, prepared: Path) -> Run:
    """The MLflow run of this pipeline run; one that was killed goes on."""
    tracking.open_store(config.store)
    facts = prepared_set(prepared).summary
    key = digest(facts["digest"], config)
    tags = {"role": "pipeline", "seed": config.seed}
    run = tracking.start(config.name, f"{config.name} {key[:6]}", tags, resume_key=key)
    settings = config.model_dump(mode="json", include=SETTINGS)
    run.log(
        params={f"{part}.{name}": value for part, values in settings.items() for name, value in values.items()},
        metrics={key: facts[key] for key in ("users", "items", "interactions")},
    )
    run.dataset(facts["name"], facts["digest"], prepared)
    return run


def candidate_run(name: str, config: Config, parent: Run) -> Run:
    """The run of a candidate, under the pipeline's."""
    tags = {"role": "model", "model": name}
    return tracking.start(config.name, name, tags, parent=parent, resume_key=f"{parent.id} {name}")


def log_trial(name: str, config: Config, parent: Run, record: TrialRecord) -> None:
    """A finished trial: parameters, metric by epoch, time and memory."""
    tags = {"role": "trial", "model": name, "state": record.state}
    run = tracking.start(config.name, f"{name} trial {record.number}", tags, parent=parent)
    metric = f"validation/{config.tuning.metric}"
    costs = {"seconds": record.seconds, "memory_mib": record.memory_mib}
    curve = record.curve or [(1, record.value)]
    run.log(params=record.params, metrics={f"{metric}.best": record.value, **costs}, history={metric: curve})
    run.finish()


def log_candidate(fitted: Fitted, run: Run) -> None:
    """The best parameters, what they cost and why they might; the test comes later."""
    metrics = {
        "fit_seconds": fitted.fit_seconds,
        "tune_seconds": fitted.tuned.seconds,
        "earned": fitted.earned,
        "granted_seconds": fitted.granted_seconds,
        "trials": float(len(fitted.tuned.trials)),
    }
    run.log(params=fitted.tuned.params, metrics=metrics)


def log_hybrids(fitted: Mapping[str, Fitted], outcome: Chosen, tested: Tested, config: Config, parent: Run) -> None:
    """The same metrics for every candidate and hybrid, so that a comparison has one column each."""
    for name, metrics in tested.metrics.items():
        run = candidate_run(name, config, parent)
        validation = outcome.validation.get(name) or {"ndcg@10": outcome.cross_validated[name]}
        low, high = tested.intervals[name]["ndcg@10"]
        run.log(
            params={} if name in fitted else {f"weight.{key}": value for key, value in outcome.weights[name].items()},
            metrics={
                **{f"validation/{metric}": value for metric, value in validation.items()},
                **{f"test/{metric}": value for metric, value in metrics.items()},
                "test/ndcg@10.low": low,
                "test/ndcg@10.high": high,
            },
            tags={"kind": "candidate" if name in fitted else "hybrid", "chosen": name == outcome.chosen},
        )
        run.finish()


def log_promotion(promotion: Promotion, outcome: Chosen, tested: Tested, run: Run) -> None:
    """The verdict, and the figures of the chosen hybrid on the pipeline's own run."""
    run.log(
        metrics={f"test/{metric}": value for metric, value in tested.metrics[outcome.chosen].items()},
        tags={
            "promoted": promotion.promoted,
            "chosen": outcome.chosen,
            "reasons": "\n".join(promotion.reasons),
            "champion": promotion.champion,
        },
    )
    run.dict({"weights": outcome.weights, "ablation": outcome.ablation}, "hybrid.json")


def log_watched(watched: Watched, files: Sequence[Path]) -> None:
    """What a look at the feedback found, a run of its own; a chart for each measure has a line a version."""
    tags = {"role": "monitor", "since": watched.since, "until": watched.until}
    run = tracking.start(watched.name, f"monitor {watched.until[:10]}", tags)
    metrics: dict[str, float] = {"impressions": watched.impressions, "responses": watched.responses}
    for one in (one for one in watched.versions if one.version.isdigit()):
        rate = one.click_through
        found = {
            "impressions": one.impressions,
            "requests": one.requests,
            "users": one.users,
            "click_through": rate.value,
            "click_through.low": rate.lo,
            "click_through.high": rate.hi,
            "coverage": one.coverage,
            "unknown_users": one.unknown_users,
            "fallback": one.fallback,
        }
        metrics |= {f"v{one.version}/{name}": value for name, value in found.items() if value is not None}
    if watched.drift is not None:
        drift = watched.drift.model_dump(exclude={"champion", "responses"})
        metrics |= {f"drift/{name}": value for name, value in drift.items()}
    run.log(metrics=metrics, tags=tags)
    for path in files:
        run.artifact(path, "report")
    run.finish()
