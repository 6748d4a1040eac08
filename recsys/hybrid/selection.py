"""Fit every hybrid on validation users, choose one by cross-validation over them, ablate its members."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.config import HybridSection
from recsys.data.schema import FloatArray
from recsys.hybrid.base import Hybrid
from recsys.hybrid.members import Members
from recsys.hybrid.pool import Pool
from recsys.hybrid.table import TABLE


@dataclass(frozen=True)
class Selection:
    """The fitted hybrids and why one was chosen."""

    hybrids: dict[str, Hybrid]
    chosen: str
    cross_validated: dict[str, float]
    """hybrid -> mean ndcg@10 over validation users, each scored by weights fitted without them."""
    ablation: dict[str, float]
    """member -> change of the chosen hybrid's cross-validated ndcg@10 when it is left out."""


def select(
    members: Members, pool: Pool, config: HybridSection, seed: int, log: Callable[[str], None] = lambda line: None
) -> Selection:
    """Fit and compare all configured hybrids on a pool of validation users."""
    fold = np.random.default_rng(seed).permutation(np.arange(pool.n_users) % config.folds)
    values: dict[str, float] = {}
    for name in config.methods:
        values[name] = float(_cross_validate(name, members, pool, fold).mean())
        log(f"{name}: cross-validated ndcg@10 {values[name]:.4f}")
    chosen = max(values, key=lambda name: values[name])
    ablation = {}
    for member in members if len(members) > 1 else ():
        rest = {name: model for name, model in members.items() if name != member}
        without = float(_cross_validate(chosen, rest, pool.without(member), fold).mean())
        ablation[member] = without - values[chosen]
        log(f"{chosen} without {member}: {ablation[member]:+.4f}")
    hybrids: dict[str, Hybrid] = {name: TABLE[name](members).fit_pool(pool) for name in config.methods}
    return Selection(hybrids, chosen, values, ablation)


def _cross_validate(name: str, members: Members, pool: Pool, fold: FloatArray) -> FloatArray:
    """[U] ndcg@10 of every user under weights fitted on the other folds."""
    value = np.zeros(pool.n_users, np.float32)
    for held_out in np.unique(fold):
        test = fold == held_out
        hybrid = TABLE[name](members).fit_pool(pool.select(~test))
        part = pool.select(test)
        value[test] = part.ndcg(hybrid.pool_scores(part))
    return value
