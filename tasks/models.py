"""Stages 3 and 4 and the gate as tasks: tune, combine, open the test, promote."""

from functools import partial
from pathlib import Path

from recsys.config import CandidateName, Config
from recsys.stages import candidates, evaluate, hybrids, sharing
from recsys.stages import promote as gate
from recsys.stages.candidates import Fitted, Searched
from recsys.stages.evaluate import Tested
from recsys.stages.hybrids import Chosen
from recsys.stages.promote import Promotion
from recsys.stages.workspace import prepared_set
from recsys.tracking import Run
from recsys.tuning.budget import Budget
from tasks.clock import Clock
from tasks.step import LONG, step
from tasks.track import candidate_run, log_candidate, log_promotion, log_tested, log_trial


@step("admit candidates of {config.name} {prepared.name:.6}")
def admit(config: Config, prepared: Path) -> dict[CandidateName, str | None]:
    """Candidates by name, each with the reason why it cannot be fitted, if there is one."""
    data = prepared_set(prepared)
    return {name: candidates.refusal(name, config, data) for name in config.models.candidates}


@step("look at {name}", seconds=LONG)
def look_at(name: CandidateName, config: Config, prepared: Path, budget: Budget, parent: Run, clock: Clock) -> Searched:
    """The first trial of a candidate; every trial is a nested MLflow run."""
    run = candidate_run(name, config, parent)
    with clock.stage("train"):
        first = candidates.first_look(
            name, config, prepared_set(prepared), budget.share(name), partial(log_trial, name, config, run)
        )
    budget.spend(name, first.tuned.seconds)
    return first


@step("share the time of {config.name}", seconds=LONG)
def share(config: Config, prepared: Path, first: dict[CandidateName, Searched], clock: Clock) -> Budget:
    """Blend the first models, and share the seconds that are left by what each earns."""
    with clock.stage("train"):
        return sharing.budget(config, prepared_set(prepared), first)


@step("train {name}", seconds=LONG)
def train_candidate(
    name: CandidateName,
    first: Searched,
    config: Config,
    prepared: Path,
    budget: Budget,
    parent: Run,
    clock: Clock,
) -> Searched:
    """Search the parameters of a candidate with the seconds it earned."""
    run = candidate_run(name, config, parent)
    with clock.stage("train"):
        searched = candidates.search(
            first,
            config,
            prepared_set(prepared),
            budget.earned[name],
            budget.share(name),
            partial(log_trial, name, config, run),
        )
    budget.spend(name, searched.tuned.seconds - first.tuned.seconds)
    return searched


@step("refit {name}", seconds=LONG)
def refit(name: CandidateName, searched: Searched, config: Config, prepared: Path, parent: Run, clock: Clock) -> Fitted:
    """Fit the best of a candidate on train and validation."""
    with clock.stage("train"):
        fitted = candidates.refit(searched, config, prepared_set(prepared))
    log_candidate(fitted, config, candidate_run(name, config, parent))
    return fitted


@step("fit hybrids of {config.name} {prepared.name:.6}", seconds=LONG)
def fit_hybrids(config: Config, prepared: Path, fitted: dict[str, Fitted], clock: Clock) -> Chosen:
    """Fit all hybrids on validation users and choose one."""
    with clock.stage("hybrid"):
        outcome, _ = hybrids.fit_hybrids(config, prepared_set(prepared), fitted)
    return outcome


@step("test on {config.name} {prepared.name:.6}", seconds=LONG)
def evaluate_models(
    config: Config, prepared: Path, fitted: dict[str, Fitted], outcome: Chosen, parent: Run, clock: Clock
) -> Tested:
    """Open the test, once."""
    with clock.stage("promote"):
        tested, _ = evaluate.evaluate_models(config, prepared_set(prepared), fitted, outcome)
    log_tested(fitted, outcome, tested, config, prepared, parent)
    return tested


@step("judge {outcome.chosen} for {config.model_name}", seconds=LONG)
def promote(
    config: Config,
    prepared: Path,
    fitted: dict[str, Fitted],
    outcome: Chosen,
    tested: Tested,
    run: Run,
    clock: Clock,
    *,
    refresh: bool,
) -> Promotion:
    """Judge the chosen hybrid against the champion, register it, let it answer if it won."""
    with clock.stage("promote"):
        promotion = gate.promote(config, prepared_set(prepared), fitted, outcome, tested, run.id, refresh=refresh)
    log_promotion(promotion, outcome, tested, run)
    return promotion
