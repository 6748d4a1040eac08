"""The decision to retrain, and the warm start, as tasks."""

from pathlib import Path

from recsys import tracking
from recsys.config import Config
from recsys.retraining import Decision, decide
from recsys.stages import retraining
from recsys.stages.workspace import prepared_set
from tasks.publish import note
from tasks.step import LONG, step


@step("consider {config.model_name}", seconds=LONG)
def consider(config: Config, prepared: Path) -> Decision:
    """Whether the log has moved on enough since the champion learnt from it."""
    tracking.open_store(config.store)
    decision = decide(retraining.signals(config, prepared_set(prepared)), config.retrain)
    note("retraining", decision.markdown(), decision.reasons[0])
    return decision


@step("warm start from {config.model_name}")
def warm_start(config: Config, prepared: Path) -> Config:
    """Searches start where the champion's ended, where there is a champion."""
    version = retraining.champion(config)
    return config if version is None else retraining.warmed(config, version, prepared_set(prepared))
