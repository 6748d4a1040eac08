"""Stages 1 and 2 as tasks: find the data, judge it, prepare it."""

from pathlib import Path

from recsys.config import Config
from recsys.data.validation_report import ContractError, ValidationReport
from recsys.stages import preprocess as preprocessing
from recsys.stages import validate as validation
from recsys.stages.workspace import located
from tasks.clock import Clock
from tasks.publish import note
from tasks.step import LONG, step


@step("locate {config.name}")
def locate(config: Config, clock: Clock) -> Config:
    """Fetch a named data set, or find it in the store."""
    with clock.stage("validate"):
        return located(config)


@step("validate {config.name}", seconds=LONG)
def validate(config: Config, clock: Clock) -> ValidationReport:
    """Judge the log by its contract."""
    try:
        with clock.stage("validate"):
            report, reused = validation.validate(config)
    except ContractError as error:
        _tell(error.report)
        raise
    _tell(report, reused)
    return report


@step("preprocess {config.name}", seconds=LONG)
def preprocess(config: Config, clock: Clock) -> Path:
    """Prepare and split what was accepted."""
    with clock.stage("preprocess"):
        folder, reused = preprocessing.preprocess(config)
    note("split", preprocessing.split_markdown(folder), "train, validation and test; leakage check passed", reused)
    return folder


def _tell(report: ValidationReport, reused: bool = False) -> None:
    markdown = f"{report.summary_markdown()}\n\nWith examples of bad rows: `{report.page}`"
    note("validation", markdown, f"{report.accepted:,} of {report.rows:,} events accepted", reused)
