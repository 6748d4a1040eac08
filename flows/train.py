"""The training flow: from an interaction log to a judged, and perhaps promoted, champion."""

from pathlib import Path

from prefect import flow

from flows.form import ConfigPath, Folder, Overrides, answered, configured, report_folder
from recsys.config import Config
from recsys.report.assemble import assemble, histories
from recsys.report.scorecard import Scorecard
from recsys.stages.turn import turn
from recsys.stages.workspace import prepared_set
from recsys.tuning.budget import Budget
from tasks.clock import Clock
from tasks.data import locate, preprocess, validate
from tasks.models import admit, evaluate_models, fit_hybrids, look_at, promote, refit, share, train_candidate
from tasks.publish import entitle, publish
from tasks.step import searching
from tasks.track import begin, kept


@flow(name="train", flow_run_name="train {config}")
@answered
def train(config: ConfigPath, overrides: Overrides = (), report: Folder = None) -> Scorecard:
    """Validate, prepare, train, combine, judge, promote.

    Args:
        config: path of a TOML file.
        overrides: `section.key=value` changes of it, such as `tuning.trials=20`; configs/own-data.toml has every key.
        report: folder for the report; default: a folder of the configuration's name in the store.
    """
    clock = Clock()
    settings = configured(config, overrides)
    folder = report_folder(settings, report)
    settings = locate(settings, clock)
    with turn(settings):
        validate(settings, clock)
        prepared = preprocess(settings, clock)
        entitle(f"train {settings.name} {prepared.name:.6}")
        return pipeline(settings, prepared, folder, clock)


def pipeline(settings: Config, prepared: Path, report: Path, clock: Clock, *, refresh: bool = False) -> Scorecard:
    """From prepared data to the verdict, inside a flow run; `refresh`: to train the champion on newer data."""
    with kept(begin(settings, prepared)) as run:
        refused = admit(settings, prepared)
        admitted = [name for name, reason in refused.items() if reason is None]
        even = Budget.even(settings.tuning.timeout, admitted)
        first = {name: look_at(name, settings, prepared, even, run, clock) for name in admitted}
        budget = share(settings, prepared, first, clock)
        search = searching(train_candidate, settings)
        tuned = {name: search(name, first[name], settings, prepared, budget, run, clock) for name in budget.order}
        fitted = {name: refit(name, tuned[name], settings, prepared, run, clock) for name in admitted}

        outcome = fit_hybrids(settings, prepared, fitted, clock)
        tested = evaluate_models(settings, prepared, fitted, outcome, run, clock)
        promotion = promote(settings, prepared, fitted, outcome, tested, run, clock, refresh=refresh)

        notes = tuple(reason for reason in refused.values() if reason)
        data = prepared_set(prepared)
        card = assemble(settings, data, fitted, outcome, tested, promotion, clock.timings(), notes)
        publish(card, histories(fitted), tested.per_user, report, run, settings.model_name, promotion.version)
        return card
