"""Fit every hybrid on validation users, choose one by cross-validation over them, ablate its members."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.config import HybridSection
from recsys.data.schema import FloatArray
from recsys.hybrid.base import Hybrid
from recsys.hybrid.members import Members
from recsys.hybrid.pool import Pool
from recsys.hybrid.table import TABLE

STANDARD_ERRORS = 2.0
"""By how many a more complex method must be better to be chosen."""


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
    values: dict[str, FloatArray] = {}
    for name in config.methods:
        values[name] = _cross_validate(name, members, pool, fold)
        log(f"{name}: cross-validated ndcg@10 {values[name].mean():.4f}")
    chosen = _simplest_of_the_best(values)
    ablation = {}
    for member in members if len(members) > 1 else ():
        rest = {name: model for name, model in members.items() if name != member}
        without = _cross_validate(chosen, rest, pool.without(member), fold)
        ablation[member] = float(without.mean() - values[chosen].mean())
        log(f"{chosen} without {member}: {ablation[member]:+.4f}")
    hybrids: dict[str, Hybrid] = {name: fit(name, members, pool) for name in config.methods}
    means = {name: float(value.mean()) for name, value in values.items()}
    return Selection(hybrids, chosen, means, ablation)


def fit(name: str, members: Members, pool: Pool) -> Hybrid:
    """Learn from users with a history: the others are answered by popularity anyway."""
    known = pool.length > 0
    return TABLE[name](members).fit_pool(pool.select(known) if known.any() else pool)


def _simplest_of_the_best(values: Mapping[str, FloatArray]) -> str:
    """The first method, in the order configured, that the best one does not beat by `STANDARD_ERRORS` (paired by user).

    After Breiman, Friedman, Olshen & Stone, "Classification and Regression Trees", 1984, section 3.4.3: among what
    chance may explain, the simpler, which carries over better to later users. `hybrid.methods` goes from simple to
    complex.
    """
    best = max(values, key=lambda name: float(values[name].mean()))
    for name, value in values.items():
        lost = values[best] - value
        if lost.mean() <= STANDARD_ERRORS * lost.std() / np.sqrt(len(lost)):
            return name
    return best


def _cross_validate(name: str, members: Members, pool: Pool, fold: FloatArray) -> FloatArray:
    """[U] ndcg@10 of every user under weights fitted on the other folds."""
    value = np.zeros(pool.n_users, np.float32)
    for held_out in np.unique(fold):
        test = fold == held_out
        hybrid = fit(name, members, pool.select(~test))
        part = pool.select(test)
        value[test] = part.ndcg(part.served(hybrid.pool_scores(part)))
    return value
