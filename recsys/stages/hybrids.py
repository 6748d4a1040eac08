"""Stage 4: fit every hybrid on validation users and choose one."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.code import code_digest
from recsys.config import Config, Section
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import mark_used, new_folder
from recsys.data.prepared import Prepared
from recsys.hybrid.base import Hybrid
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.members import Members
from recsys.hybrid.pool import FLOOR, build_pool
from recsys.hybrid.selection import select
from recsys.hybrid.table import TABLE
from recsys.metrics.evaluation import evaluate_all
from recsys.metrics.segments import head_items
from recsys.stages.candidates import Fitted, on_train
from recsys.stages.workspace import work

log = logging.getLogger("recsys.hybrid")

RESULT = "result.json"


class Chosen(Section):
    """The fitted hybrids, by what was learnt; their members are the candidates."""

    key: str
    """Digest of all that the hybrids depend on."""
    folder: str
    """Holds what each hybrid learnt."""
    members: tuple[str, ...]
    chosen: str
    weights: dict[str, dict[str, float]]
    """hybrid -> member -> share."""
    cross_validated: dict[str, float]
    ablation: dict[str, float]
    validation: dict[str, dict[str, float]]
    """candidate -> metric@k -> mean over all validation users."""


def fit_hybrids(config: Config, prepared: Prepared, fitted: Mapping[str, Fitted]) -> tuple[Chosen, bool]:
    """Fit and choose, or find what an earlier run chose among the same candidates.

    Returns:
        The outcome, and whether it is that of an earlier run.
    """
    params = {name: one.tuned.params for name, one in fitted.items()}
    studies = {name: Path(one.folder).name for name, one in fitted.items()}
    key = digest_of_parts(studies, params, config.hybrid, code_digest("hybrid"))
    folder = work(config, "hybrids", key)
    if (folder / RESULT).is_file():
        log.info("hybrid: the candidates are unchanged, the fitted hybrids are re-used")
        mark_used(folder)
        return Chosen.model_validate_json((folder / RESULT).read_bytes()), True
    split = prepared.split
    members = {name: on_train(one, config, prepared) for name, one in fitted.items()}
    served = {name: WithFallback.of(member, members[FLOOR]) for name, member in members.items()}
    evaluations = evaluate_all(
        served, split.validation, split.train, item_features=split.data.item_features, seed=config.seed
    )
    users = split.validation.sample(config.hybrid.max_users, config.seed)
    log.info("hybrid: what %d members would show %s validation users", len(members), f"{len(users):,}")
    pool = build_pool(members, users, ~head_items(split.train), config.hybrid.pool)
    selection = select(members, pool, config.hybrid, config.seed, lambda line: log.info("hybrid: %s", line))
    weights = {name: hybrid.weights() for name, hybrid in selection.hybrids.items()}
    outcome = Chosen(
        key=key,
        folder=str(folder),
        members=tuple(members),
        chosen=selection.chosen,
        weights=weights,
        cross_validated=selection.cross_validated,
        ablation=selection.ablation,
        validation={name: one.aggregate for name, one in evaluations.items()},
    )
    with new_folder(folder) as draft:
        for name, hybrid in selection.hybrids.items():
            np.savez(draft / f"{name}.npz", allow_pickle=False, **hybrid.state())
        (draft / RESULT).write_text(outcome.model_dump_json(indent=1), encoding="utf-8")
    return outcome, False


def restored(name: str, outcome: Chosen, members: Members) -> Hybrid:
    """A hybrid as it was fitted, over members of any fit."""
    with np.load(Path(outcome.folder) / f"{name}.npz", allow_pickle=False) as state:
        return TABLE[name]({member: members[member] for member in outcome.members}).load(dict(state))
