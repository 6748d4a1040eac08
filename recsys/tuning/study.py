"""Tuning: the door to Optuna. A killed study goes on where it was, and ends as if it had never been killed.

The first trial is the model's configured parameters. A trial fits on train and is worth its validation metric; models
trained in epochs are watched (early stopping, pruning), and parameters that act only when scoring are searched on the
fitted model, which costs no fit. The best model stays on disk for the next stage.
"""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from recsys.config import Section, TuningSection
from recsys.data.atomic import new_folder
from recsys.data.dataset import Dataset, Holdout
from recsys.hybrid import persistence
from recsys.hybrid.fallback import WithFallback
from recsys.metrics.evaluation import score_metric
from recsys.metrics.recommend import NotFiniteError
from recsys.models.base import Choice, Range, Recommender, Space
from recsys.models.table import TABLE, create
from recsys.tuning.trial import TrialRecord, run_trial

log = logging.getLogger("recsys.tuning")

STARTUP_TRIALS = 4
"""Trials before the sampler models what it saw, and before any trial is pruned."""
MOST_FAILURES = 3
"""Trials of a run that may fail; one more, and so does the run."""
FAILURES = (RuntimeError, ArithmeticError, np.linalg.LinAlgError, NotFiniteError)
"""What arithmetic raises that parameters have led astray: no more than the end of a trial."""
ERROR = "error"
"""Attribute of a trial that failed by itself; one that a kill left has none."""
TOLD = "told"
"""Attribute of a study: numbers of the trials that `on_trial` was told of."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class Tuned(Section):
    """A candidate after its search."""

    name: str
    params: dict[str, Any]
    value: float
    """Validation metric of the best trial."""
    trials: list[TrialRecord]
    seconds: float
    """Of all trials, those of earlier runs included."""
    reused: int
    """Trials that were done before."""


def tune(
    name: str,
    data: Dataset,
    holdout: Holdout,
    config: TuningSection,
    start: Mapping[str, Any],
    *,
    folder: Path,
    seconds: float,
    space: Space | None = None,
    first_only: bool = False,
    seed: int = 0,
    device: str = "cpu",
    on_trial: Callable[[TrialRecord], None] = lambda record: None,
) -> Tuned:
    """Search the parameters of a candidate.

    Args:
        name: of the candidate.
        data: what trials are fitted on.
        holdout: validation users; at most `config.max_users` of them, a seeded sample, are scored.
        config: trials, seed, metric.
        start: parameters that differ from the model's defaults in the first trial, and stay where not searched.
        folder: keeps the study and the best model; the same folder resumes.
        seconds: after which no epoch starts, nor a fit that would not end in time; one epoch, or one fit, in any case.
        space: what the search varies; default: the model's `SPACE`.
        first_only: stop after the first trial; a later call goes on.
        seed: of the model.
        device: of the model.
        on_trial: told of every finished trial once, be it that an earlier call finished it and could not say so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = create(name, start).config
    searched = {
        key: _distribution(values)
        for key, values in (TABLE[name].SPACE if space is None else space).items()
        if values.allows(getattr(first, key))  # a value set outside the range is meant to stay
    }
    study = _study(name, folder, {key: getattr(first, key) for key in searched})
    _tell(study, on_trial)
    judge = _judge(data, holdout.sample(config.max_users, config.seed), config.metric)
    before = reused = len(_done(study))
    if before and not first_only:
        log.info("%s: %d of %d trials are done already", name, min(before, config.trials), config.trials)
    failures = _failures(study)
    allowed = failures + MOST_FAILURES
    trials = 1 if first_only else config.trials
    while (finished := len(_done(study))) < trials and (not finished or _time_for_another(name, study, seconds)):
        # Seeded by the place in the study, a resumed search draws what an uninterrupted one would have drawn.
        study.sampler = optuna.samplers.TPESampler(
            seed=(config.seed * 1000 + finished + failures) % 2**32, n_startup_trials=STARTUP_TRIALS, multivariate=True
        )
        trial = study.ask(searched)
        model = create(name, {**start, **trial.params}, seed=seed, device=device)
        report = partial(_report, trial)
        left = seconds - _spent(study)
        try:
            record = run_trial(model, data, judge, trial.number, left, report)
        except FAILURES as error:
            failures += 1
            trial.set_user_attr(ERROR, str(error))
            study.tell(trial, state=TrialState.FAIL)
            log.warning("%s: trial %d failed: %s", name, trial.number, error)
            if failures > allowed:
                raise
            continue
        if all(record.value > other.value for other in _records(study)):
            _replace(folder / f"best-{trial.number}", model)
        trial.set_user_attr("record", record.model_dump(mode="json"))
        study.tell(trial, *((record.value,) if record.state == "complete" else (None, TrialState.PRUNED)))
        _keep_best_only(study, folder)
        _tell(study, on_trial)
        best = max(r.value for r in _records(study))
        log.info(
            "%s: trial %d of %d %s, %s %.4f (best %.4f), %.1f s",
            name, finished + 1, config.trials, record.state, config.metric, record.value, best, record.seconds,
        )  # fmt: skip
    records = _records(study)[:trials]
    best_record = max(records, key=lambda record: record.value)
    return Tuned(
        name=name, params=best_record.params, value=best_record.value, trials=records,
        seconds=sum(record.seconds for record in records), reused=min(reused, len(records)),
    )  # fmt: skip


def best_model(tuned: Tuned, data: Dataset, folder: Path, *, seed: int = 0, device: str = "cpu") -> Recommender:
    """The model of the best trial: from disk, or fitted again where it was deleted."""
    number = max(tuned.trials, key=lambda record: record.value).number
    path = folder / f"best-{number}"
    if not (path / "model.json").is_file():
        model = create(tuned.name, tuned.params, seed=seed, device=device).fit(data)
        _replace(path, model)
    return persistence.load(path, device)


def _replace(path: Path, model: Recommender) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with new_folder(path) as draft:
        persistence.save(model, draft)


def _tell(study: optuna.Study, on_trial: Callable[[TrialRecord], None]) -> None:
    told = study.user_attrs.get(TOLD, [])
    for record in _records(study):
        if record.number not in told:
            on_trial(record)
            told = [*told, record.number]
            study.set_user_attr(TOLD, told)


def _report(trial: optuna.Trial, value: float, epoch: int) -> bool:
    trial.report(value, epoch)
    return bool(trial.should_prune())


def _study(name: str, folder: Path, first: dict[str, Any]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = folder / "study.log"
    if journal.exists():
        _mend(journal)
    study = optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(journal))),
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=5),
    )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):  # left by a kill
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    if not study.trials:
        study.enqueue_trial(first)
    return study


def _mend(journal: Path) -> None:
    """Take off the end of a line that a full disk cut short: whatever Optuna wrote behind it could not be read."""
    written = journal.read_bytes()
    if not written.endswith(b"\n"):
        os.truncate(journal, written.rfind(b"\n") + 1)


def _distribution(values: Range | Choice) -> BaseDistribution:
    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    if values.integer:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _done(study: optuna.Study) -> list[FrozenTrial]:
    trials: list[FrozenTrial] = study.get_trials(deepcopy=False, states=DONE)
    return trials


def _failures(study: optuna.Study) -> int:
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return sum(ERROR in trial.user_attrs for trial in failed)


def _records(study: optuna.Study) -> list[TrialRecord]:
    return [TrialRecord.model_validate(trial.user_attrs["record"]) for trial in _done(study)]


def _spent(study: optuna.Study) -> float:
    return sum(record.seconds for record in _records(study))


def _time_for_another(name: str, study: optuna.Study, seconds: float) -> bool:
    """Whether a trial may start: one trained in epochs ends when its time is over, any other has to be expected to."""
    spent = _spent(study)
    expected = 0.0 if "epochs" in TABLE[name].Config.model_fields else spent / len(_done(study))
    return spent + expected < seconds


def _judge(data: Dataset, holdout: Holdout, metric: str) -> Callable[[Recommender], float]:
    """Judges a model as it would serve: popularity answers whoever has no history."""
    fallback = create("popularity").fit(data)
    return lambda model: score_metric(WithFallback.of(model, fallback), holdout, metric)


def _keep_best_only(study: optuna.Study, folder: Path) -> None:
    best = max(_records(study), key=lambda record: record.value).number
    for path in folder.glob("best-*"):
        if path.name != f"best-{best}":
            shutil.rmtree(path, ignore_errors=True)
