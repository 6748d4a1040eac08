"""What MLflow keeps: a run a pipeline, under it a run a candidate and hybrid, under those a run a trial.

Metrics are named `test/ndcg@10`: MLflow groups charts by what stands before the slash.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from recsys import tracking
from recsys.code import code_digest
from recsys.config import Config, digest
from recsys.promotion import METRIC
from recsys.retention import MONITOR, PIPELINE
from recsys.stages import candidates
from recsys.stages.candidates import Fitted
from recsys.stages.evaluate import Tested
from recsys.stages.hybrids import Chosen
from recsys.stages.monitor import Watched
from recsys.stages.promote import Promotion
from recsys.stages.workspace import prepared_set
from recsys.tracking import Run
from recsys.tuning.trial import TrialRecord
from tasks.comparison import TITLE, flat, introduce, settings
from tasks.publish import flow_run_tags, note, run_link
from tasks.step import step

SETTINGS = {"split", "models", "tuning", "hybrid", "promotion"}
"""Sections of the configuration that become parameters of a run."""
CODE = ("models", "tuning", "metrics", "hybrid")
"""Packages of recsys that decide what a run finds."""
DIGITS = 6
"""Decimals of a measure over users, which is not known better and has to fit a column."""


@step("track {config.name} {prepared.name:.6}")
def begin(config: Config, prepared: Path) -> Run:
    """The MLflow run of this pipeline run; one that was killed goes on, and what others left running is ended."""
    tracking.open_store(config.store)
    facts = prepared_set(prepared).summary
    # What a study depends on too: a run of other code or another device finds other parameters, and is another run.
    key = digest(facts["digest"], config, candidates.device_of(config), code_digest(*CODE))
    role = {"role": PIPELINE}
    tags = {**role, "seed": config.seed, "settings": settings(config), **flow_run_tags()}
    run = tracking.start(config.name, f"{config.name} {key[:6]}", tags, resume_key=key)
    tracking.end_left(config.name, run, role)
    sections = config.model_dump(mode="json", include=SETTINGS)
    sections["data"] = {key: facts[key] for key in ("users", "items", "interactions")}
    run.log(params=flat(sections))
    run.dataset(facts["name"], facts["digest"], prepared)
    compared = f"; [{TITLE}]({view})" if (view := introduce(config)) else ""
    note("mlflow", f"This run in MLflow: {run_link(run)}{compared}", "the run in MLflow")
    return run


@contextmanager
def kept(run: Run) -> Iterator[Run]:
    """What goes on while the block does: the load of the machine is logged, and however it ends, so does the run."""
    try:
        with tracking.watched(run):
            yield run
    except BaseException as error:
        run.abandon("FAILED" if isinstance(error, Exception) else "KILLED")
        raise


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


def log_candidate(fitted: Fitted, config: Config, run: Run) -> None:
    """The best parameters, what they cost and why they might, and how the search came to them; the test comes later."""
    metrics = {
        "time/fit": fitted.fit_seconds,
        "time/search": fitted.tuned.seconds,
        "time/granted": fitted.granted_seconds,
        "search/earned": fitted.earned,
        "search/trials": float(len(fitted.tuned.trials)),
    }
    best = max(fitted.tuned.trials, key=lambda trial: trial.value)
    searched = accumulate((trial.value for trial in fitted.tuned.trials), max)
    history = {
        f"search/{config.tuning.metric}": list(enumerate(searched, start=1)),
        f"training/{config.tuning.metric}": best.curve,
    }
    run.log(params=fitted.tuned.params, metrics=metrics, history=history)


def worth(name: str, outcome: Chosen, tested: Tested) -> dict[str, float]:
    """What a candidate or a hybrid was worth, under the names that every run has for it."""
    validation = outcome.validation.get(name) or {METRIC: outcome.cross_validated[name]}
    low, high = tested.intervals[name][METRIC]
    found = {
        **{f"validation/{metric}": value for metric, value in validation.items()},
        **{f"test/{metric}": value for metric, value in tested.metrics[name].items()},
        f"test/{METRIC}.low": low,
        f"test/{METRIC}.high": high,
        **{f"test/{METRIC}.{part}": of[METRIC] for part, of in tested.segments[name].items() if METRIC in of},
    }
    return {metric: round(value, DIGITS) for metric, value in found.items()}


def log_tested(
    fitted: Mapping[str, Fitted], outcome: Chosen, tested: Tested, config: Config, prepared: Path, parent: Run
) -> None:
    """The same metrics for every candidate and hybrid, so that a comparison has one column each."""
    facts = prepared_set(prepared).summary
    for name in tested.metrics:
        run = candidate_run(name, config, parent)
        run.log(
            metrics=worth(name, outcome, tested) | weights(outcome.weights.get(name, {})),
            tags={"kind": "candidate" if name in fitted else "hybrid", "chosen": name == outcome.chosen},
        )
        run.dataset(facts["name"], facts["digest"], prepared)
        run.finish()


def weights(shares: Mapping[str, float]) -> dict[str, float]:
    """Shares of a hybrid's members as metrics, which MLflow can draw."""
    return {f"weight/{member}": share for member, share in shares.items()}


def log_promotion(promotion: Promotion, outcome: Chosen, tested: Tested, run: Run) -> None:
    """The verdict, the figures of the chosen hybrid and of what it is made of, on the pipeline's own run."""
    gain = dict(zip(("gain", "gain.low", "gain.high"), promotion.gain or (), strict=False))
    run.log(
        metrics={
            **worth(outcome.chosen, outcome, tested),
            **weights(outcome.weights[outcome.chosen]),
            **{f"tested/{name}": tested.metrics[name][METRIC] for name in outcome.members},
            **{f"test/{METRIC}.{name}": round(value, DIGITS) for name, value in gain.items() if value is not None},
        },
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
    tags = {"role": MONITOR, "since": watched.since, "until": watched.until}
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
