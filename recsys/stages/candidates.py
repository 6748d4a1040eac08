"""Stage 3: a first look at every candidate on train, its search, and the refit of its best on train and validation."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from recsys.code import code_digest
from recsys.config import CandidateName, Config, Section
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import mark_used, new_folder, room
from recsys.data.prepared import Prepared
from recsys.errors import InputError
from recsys.hybrid import persistence
from recsys.hybrid.pool import FLOOR
from recsys.models.base import Recommender, Space
from recsys.models.table import TABLE, create
from recsys.stages.workspace import work
from recsys.tuning.study import Tuned, best_model, tune
from recsys.tuning.trial import TrialRecord

log = logging.getLogger("recsys.train")

CODE = ("models", "tuning", "metrics", "hybrid/fallback.py", "hybrid/persistence.py")
"""What decides how a candidate is fitted, judged and kept."""

OnTrial = Callable[[TrialRecord], None]
"""Told of every finished trial."""


class Searched(Section):
    """A candidate after trials on train."""

    tuned: Tuned
    folder: str
    """Holds the study, the best model on train, and the refit."""
    earned: float = 0.0
    """Its share in the blend of the first models."""
    granted_seconds: float = 0.0
    """What it got for that to search with, its first trial not counted."""


class Fitted(Searched):
    """A searched candidate, and its refit for the test."""

    fit_seconds: float
    """Of the refit on train and validation."""
    refit_reused: bool


def device_of(config: Config) -> str:
    """cpu or cuda: what the configuration and the machine allow.

    Raises:
        InputError: the configuration says cuda, and there is none here.
    """
    import torch

    if config.models.device == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if config.models.device == "cuda":
        raise InputError(
            f"models.device is cuda, but torch {torch.__version__} finds no CUDA device here; set it to auto or cpu, "
            "or install a build of torch for CUDA where there is a GPU"
        )
    return "cpu"


def check(config: Config) -> None:
    """Look at the configured parameters before anything starts, those of models that are no candidates included.

    Whoever deploys need not be on the machine that trains: `device_of` is asked there.

    Raises:
        InputError: unknown model or parameter, or a value out of its bounds.
    """
    for name, params in config.models.params.items():
        create(name, params)


def refusal(name: CandidateName, config: Config, prepared: Prepared) -> str | None:
    """Why a candidate cannot be fitted within the memory budget; none when it can, or when nothing goes without it."""
    estimate = _gib(name, config.models.params.get(name, {}), prepared)
    if estimate <= config.models.memory_gib or name == FLOOR:
        return None
    log = prepared.split.for_test.interactions
    return (
        f"{name} is left out: {len(log):,} events of {log.n_users:,} users on {log.n_items:,} items need an estimated "
        f"{estimate:.1f} GiB, models.memory_gib allows {config.models.memory_gib:g}"
    )


def space_within(name: str, config: Config, prepared: Prepared) -> Space:
    """What the search may vary, without values that do not go with the configured ones or need too much memory.

    Each parameter is looked at by itself, beside the starting point, which fits.
    """
    start = config.models.params.get(name, {})

    def fits(key: str, value: Any) -> bool:
        params = {**start, key: value}
        try:
            create(name, params)
        except InputError:
            return False
        return fits_memory(name, params, config, prepared)

    return {key: values.within(partial(fits, key)) for key, values in TABLE[name].SPACE.items()}


def fits_memory(name: str, params: Mapping[str, Any], config: Config, prepared: Prepared) -> bool:
    """Whether a candidate with these parameters is within the memory budget."""
    return _gib(name, params, prepared) <= config.models.memory_gib


def _gib(name: str, params: Mapping[str, Any], prepared: Prepared) -> float:
    """Estimate of the peak memory of the refit on train and validation, GiB."""
    config = TABLE[name].Config.model_validate(dict(params))
    return TABLE[name].memory_bytes(config, prepared.split.for_test) / 2**30


def first_look(
    name: CandidateName,
    config: Config,
    prepared: Prepared,
    seconds: float,
    on_trial: OnTrial = lambda record: None,
) -> Searched:
    """One trial, of the starting point, in at most `seconds`; an earlier run's is found again."""
    return _tuned(name, config, prepared, seconds, on_trial, first_only=True)


def search(
    first: Searched,
    config: Config,
    prepared: Prepared,
    earned: float,
    seconds: float,
    on_trial: OnTrial = lambda record: None,
) -> Searched:
    """Go on from the first look for at most `seconds` more, `earned` being why; earlier trials are found again."""
    name = first.tuned.name
    why = (
        f"earned {earned:.3f} of the first blend" if earned else "earned nothing in the first blend, has its even part"
    )
    log.info("%s: %s, %.1f s to search with", name, why, seconds)
    found = _tuned(name, config, prepared, first.tuned.seconds + seconds, on_trial)
    return found.model_copy(update={"earned": earned, "granted_seconds": seconds})


def refit(searched: Searched, config: Config, prepared: Prepared) -> Fitted:
    """Fit the best parameters on train and validation; the fit of an earlier run is found again."""
    name, params = searched.tuned.name, searched.tuned.params
    folder = _refit_folder(Path(searched.folder), params)
    reused = (folder / "model.json").is_file()
    if reused:
        log.info("%s: the fit of its best parameters is re-used", name)
    else:
        begun = time.perf_counter()
        model = create(name, params, seed=config.seed, device=device_of(config)).fit(prepared.split.for_test)
        spent = time.perf_counter() - begun
        with new_folder(folder) as draft:
            (draft / "fit.json").write_text(json.dumps({"seconds": spent}), encoding="utf-8")
            persistence.save(model, draft)
        log.info("%s: refit on train and validation, %.1f s", name, spent)
    fit_seconds = json.loads((folder / "fit.json").read_text(encoding="utf-8"))["seconds"]
    return Fitted(**dict(searched), fit_seconds=fit_seconds, refit_reused=reused)


def on_train(searched: Searched, config: Config, prepared: Prepared) -> Recommender:
    """The best model as it was tuned, fitted on train: for validation users."""
    data = prepared.split.for_validation
    return best_model(searched.tuned, data, Path(searched.folder), seed=config.seed, device=device_of(config))


def on_train_and_validation(fitted: Fitted, config: Config) -> Recommender:
    """The best model refitted: for test users."""
    return persistence.load(_refit_folder(Path(fitted.folder), fitted.tuned.params), device_of(config))


def _tuned(
    name: str, config: Config, prepared: Prepared, seconds: float, on_trial: OnTrial, *, first_only: bool = False
) -> Searched:
    folder, split = _folder(name, config, prepared), prepared.split
    if folder.is_dir():
        mark_used(folder)
    with room(folder):
        tuned = tune(
            name, split.for_validation, split.validation, config.tuning, config.models.params.get(name, {}),
            folder=folder, seconds=seconds, space=space_within(name, config, prepared), first_only=first_only,
            seed=config.seed, device=device_of(config), on_trial=on_trial,
        )  # fmt: skip
    return Searched(tuned=tuned, folder=str(folder))


def _folder(name: str, config: Config, prepared: Prepared) -> Path:
    """More trials or more time go on with the same study; anything else that matters starts another one."""
    search = config.tuning.model_dump(exclude={"trials", "timeout"})
    parts: tuple[Any, ...] = (prepared.summary["digest"], config.models.params.get(name, {}), search, config.seed)
    space = {key: values.model_dump() for key, values in space_within(name, config, prepared).items()}
    key = digest_of_parts(*parts, space, device_of(config), code_digest(*CODE))
    return work(config, "candidates", f"{name}-{key}")


def _refit_folder(folder: Path, params: dict[str, Any]) -> Path:
    return folder / f"refit-{digest_of_parts(params)}"
