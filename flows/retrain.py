"""The retraining flow: take feedback in, decide whether it is worth it, then train, judge and perhaps promote."""

from dataclasses import dataclass

from prefect import flow

from flows.form import ConfigPath, Folder, Overrides, answered, configured, report_folder
from flows.train import pipeline
from recsys.report.scorecard import Scorecard
from recsys.retraining import Decision
from recsys.stages.turn import turn
from tasks.clock import Clock
from tasks.data import locate, preprocess, validate
from tasks.ingest import ingest
from tasks.publish import entitle
from tasks.retraining import consider, warm_start


@dataclass(frozen=True)
class Retrained:
    """What was decided, and the report where it led to a training."""

    decision: Decision
    card: Scorecard | None = None


@flow(name="retrain", flow_run_name="retrain {config}")
@answered
def retrain(config: ConfigPath, overrides: Overrides = (), report: Folder = None) -> Retrained:
    """Ingest, decide; train, judge and promote only where the decision says so.

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
        ingest(settings)
        validate(settings, clock)
        prepared = preprocess(settings, clock)
        entitle(f"retrain {settings.name} {prepared.name:.6}")
        decision = consider(settings, prepared)
        if not decision.retrain:
            return Retrained(decision)
        return Retrained(decision, pipeline(warm_start(settings, prepared), prepared, folder, clock, refresh=True))
