"""Stage 3: tune every candidate on train, refit the best of each on train and validation."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys.config import CandidateName, Config, Section
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import new_folder
from recsys.data.prepared import Prepared
from recsys.hybrid import persistence
from recsys.hybrid.pool import FLOOR
from recsys.models.base import Recommender
from recsys.models.table import TABLE, create
from recsys.stages.workspace import code_digest, work
from recsys.tuning.study import Tuned, best_model, tune
from recsys.tuning.trial import TrialRecord

log = logging.getLogger("recsys.train")


class Fitted(Section):
    """A tuned candidate, and its refit for the test."""

    tuned: Tuned
    fit_seconds: float
    """Of the refit on train and validation."""
    folder: str
    """Holds the study, the best model on train, and the refit."""
    refit_reused: bool


def device_of(config: Config) -> str:
    """cpu or cuda: what the configuration and the machine allow."""
    import torch

    if config.models.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return config.models.device


def check(config: Config) -> None:
    """Look at the configured parameters before anything starts, those of models that are no candidates included.

    Raises:
        InputError: unknown model or parameter, or a value out of its bounds.
    """
    for name, params in config.models.params.items():
        create(name, params)


def refusal(name: CandidateName, config: Config, prepared: Prepared) -> str | None:
    """Why a candidate cannot be fitted within the memory budget; none when it can, or when nothing goes without it."""
    model = create(name, config.models.params.get(name))
    estimate = TABLE[name].memory_bytes(model.config, prepared.split.for_test) / 2**30
    if estimate <= config.models.memory_gib or name == FLOOR:
        return None
    return (
        f"{name} is left out: a catalogue of {prepared.split.data.interactions.n_items:,} items needs an estimated "
        f"{estimate:.1f} GiB, models.memory_gib allows {config.models.memory_gib:g}"
    )


def train_candidate(
    name: CandidateName,
    config: Config,
    prepared: Prepared,
    seconds: float,
    on_trial: Callable[[TrialRecord], None] = lambda record: None,
) -> Fitted:
    """Tune a candidate for at most `seconds` and refit it; trials and refits of an earlier run are found again."""
    start, device = config.models.params.get(name, {}), device_of(config)
    folder = _folder(name, config, prepared)
    split = prepared.split
    tuned = tune(
        name, split.for_validation, split.validation, config.tuning, start,
        folder=folder, seconds=seconds, seed=config.seed, device=device, on_trial=on_trial,
    )  # fmt: skip
    refit = _refit_folder(folder, tuned.params)
    reused = (refit / "model.json").is_file()
    if reused:
        log.info("%s: the fit of its best parameters is re-used", name)
    else:
        begun = time.perf_counter()
        model = create(name, tuned.params, seed=config.seed, device=device).fit(split.for_test)
        spent = time.perf_counter() - begun
        with new_folder(refit) as draft:
            (draft / "fit.json").write_text(json.dumps({"seconds": spent}), encoding="utf-8")
            persistence.save(model, draft)
        log.info("%s: refit on train and validation, %.1f s", name, spent)
    fit_seconds = json.loads((refit / "fit.json").read_text(encoding="utf-8"))["seconds"]
    return Fitted(tuned=tuned, fit_seconds=fit_seconds, folder=str(folder), refit_reused=reused)


def on_train(fitted: Fitted, config: Config, prepared: Prepared) -> Recommender:
    """The best model as it was tuned, fitted on train: for validation users."""
    data = prepared.split.for_validation
    return best_model(fitted.tuned, data, Path(fitted.folder), seed=config.seed, device=device_of(config))


def on_train_and_validation(fitted: Fitted, config: Config) -> Recommender:
    """The best model refitted: for test users."""
    return persistence.load(_refit_folder(Path(fitted.folder), fitted.tuned.params), device_of(config))


def _folder(name: str, config: Config, prepared: Prepared) -> Path:
    """More trials or more time go on with the same study; anything else that matters starts another one."""
    search = config.tuning.model_dump(exclude={"trials", "timeout"})
    parts: tuple[Any, ...] = (prepared.summary["digest"], config.models.params.get(name, {}), search, config.seed)
    key = digest_of_parts(*parts, device_of(config), code_digest("models", "tuning", "metrics"))
    return work(config, "candidates", f"{name}-{key}")


def _refit_folder(folder: Path, params: dict[str, Any]) -> Path:
    return folder / f"refit-{digest_of_parts(params)}"
