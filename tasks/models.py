"""Stages 3 and 4 and the gate as tasks: tune, combine, open the test, promote."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from recsys.config import CandidateName, Config
from recsys.stages import candidates, evaluate, hybrids
from recsys.stages import promote as gate
from recsys.stages.candidates import Fitted
from recsys.stages.evaluate import Tested
from recsys.stages.hybrids import Chosen
from recsys.stages.promote import Promotion
from recsys.stages.workspace import prepared_set
from recsys.tracking import Run
from recsys.tuning.budget import Budget
from tasks.clock import Clock
from tasks.track import candidate_run, log_candidate, log_hybrids, log_promotion, log_trial


@task(cache_policy=NO_CACHE)
def admit(config: Config, prepared: Path) -> dict[CandidateName, str | None]:
    """Candidates by name, each with the reason why it cannot be fitted, if there is one."""
    data = prepared_set(prepared)
    return {name: candidates.refusal(name, config, data) for name in config.models.candidates}


@task(cache_policy=NO_CACHE, task_run_name="train {name}")
def train_candidate(
    name: CandidateName, config: Config, prepared: Path, budget: Budget, parent: Run, clock: Clock
) -> Fitted:
    """Tune a candidate and refit the best of it; every trial is a nested MLflow run."""
    run = candidate_run(name, config, parent)
    with clock.stage("train"):
        fitted = candidates.train_candidate(
            name, config, prepared_set(prepared), budget.share(), lambda record: log_trial(name, record, config, run)
        )
    budget.spend(fitted.tuned.seconds)
    log_candidate(fitted, run)
    return fitted


@task(cache_policy=NO_CACHE)
def fit_hybrids(config: Config, prepared: Path, fitted: dict[str, Fitted], clock: Clock) -> Chosen:
    """Fit all hybrids on validation users and choose one."""
    with clock.stage("hybrid"):
        outcome, _ = hybrids.fit_hybrids(config, prepared_set(prepared), fitted)
    return outcome


@task(cache_policy=NO_CACHE)
def evaluate_models(
    config: Config, prepared: Path, fitted: dict[str, Fitted], outcome: Chosen, parent: Run, clock: Clock
) -> Tested:
    """Open the test, once."""
    with clock.stage("promote"):
        tested, _ = evaluate.evaluate_models(config, prepared_set(prepared), fitted, outcome)
    log_hybrids(fitted, outcome, tested, config, parent)
    return tested


@task(cache_policy=NO_CACHE)
def promote(
    config: Config, prepared: Path, fitted: dict[str, Fitted], outcome: Chosen, tested: Tested, run: Run, clock: Clock
) -> Promotion:
    """Judge the chosen hybrid against the champion, register it, let it answer if it won."""
    with clock.stage("promote"):
        promotion = gate.promote(config, prepared_set(prepared), fitted, outcome, tested, run.id)
    log_promotion(promotion, outcome, tested, run)
    return promotion
