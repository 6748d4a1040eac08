"""Stages 1 and 2 as tasks: find the data, judge it, prepare it."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from recsys.config import Config
from recsys.data.validation_report import ValidationReport
from recsys.stages import preprocess as preprocessing
from recsys.stages import validate as validation
from recsys.stages.workspace import located
from tasks.clock import Clock
from tasks.publish import note


@task(cache_policy=NO_CACHE, retries=1, retry_delay_seconds=2)
def locate(config: Config, clock: Clock) -> Config:
    """Fetch a named data set, or find it in the store."""
    with clock.stage("validate"):
        return located(config)


@task(cache_policy=NO_CACHE)
def validate(config: Config, clock: Clock) -> ValidationReport:
    """Judge the log by its contract."""
    with clock.stage("validate"):
        report, reused = validation.validate(config)
    note("validation", report.summary_markdown(), f"{report.accepted:,} of {report.rows:,} events accepted", reused)
    return report


@task(cache_policy=NO_CACHE)
def preprocess(config: Config, clock: Clock) -> Path:
    """Prepare and split what was accepted."""
    with clock.stage("preprocess"):
        folder, reused = preprocessing.preprocess(config)
    note("split", preprocessing.split_markdown(folder), "train, validation and test; leakage check passed", reused)
    return folder
