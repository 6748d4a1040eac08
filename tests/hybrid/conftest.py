"""Members whose scores are planted, and users who choose by them."""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions


class Planted:
    """A member with one row of scores for every user; whose history it is, the time of the first event tells."""

    name: ClassVar[str] = "planted"

    def __init__(self, table):
        self.table = np.asarray(table, np.float32)
        self.asked = 0

    def score(self, history):
        self.asked += 1
        rows = history.time[history.indptr[:-1]] // 1000
        return self.table[rows].copy()


@pytest.fixture(scope="session")
def planted():
    """Members `a`, `b` and `popularity`, each on a scale of its own, and users who choose by weights of their z-scores.

    Returns members, holdout, tail [n] and z [3, U, n]. `chooses(u)` gives the weights of user u.
    """

    def make(chooses, lengths=(2,), users=400, n=30, taken=1, seed=0):
        rng = np.random.default_rng(seed)
        history = [rng.choice(n, lengths[u % len(lengths)], replace=False) for u in range(users)]
        user = np.repeat(np.arange(users), [len(items) for items in history])
        time = np.concatenate([1000 * u + np.arange(len(items)) for u, items in enumerate(history)])
        log = Interactions.build(user, np.concatenate(history), time, n_users=users, n_items=n)
        z = rng.standard_normal((3, users, n))
        seen = np.zeros((users, n), bool)
        seen[log.user, log.item] = True
        unseen = np.ma.masked_array(z, np.broadcast_to(seen, z.shape))
        z = np.asarray((z - unseen.mean(2, keepdims=True)) / unseen.std(2, keepdims=True))
        # The largest of utility + Gumbel noise is a draw from the softmax of the utility.
        weights = np.array([chooses(u) for u in range(users)], float)
        utility = np.einsum("um,mun->un", weights, z) + rng.gumbel(size=(users, n))
        truth = np.argsort(-np.where(seen, -np.inf, utility), axis=1)[:, :taken]
        scales = {"a": 1, "b": 50, "popularity": 7}
        members = {name: Planted(scale * own + scale) for (name, scale), own in zip(scales.items(), z, strict=True)}
        holdout = Holdout(log, Interactions.of_histories(truth.tolist(), n))
        tail = np.arange(n) >= 0.8 * n
        return SimpleNamespace(members=members, holdout=holdout, tail=tail, z=z, table=Planted)

    return make
