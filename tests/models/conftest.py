"""Small logs for the maths of single models."""

import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions


@pytest.fixture(scope="session")
def dataset_of():
    """A dataset of a log, its raw ids the row numbers."""

    def make(log, item_features=None):
        return Dataset(log, IdMap.of(range(log.n_users)), IdMap.of(range(log.n_items)), item_features)

    return make


@pytest.fixture(scope="session")
def random_log():
    """Distinct pairs at random with random event weights; user 0 has no events, item 0 none either."""

    def make(n_users=30, n_items=12, seed=0, share=0.4):
        rng = np.random.default_rng(seed)
        met = rng.random((n_users, n_items)) < share
        met[0] = met[:, 0] = False
        user, item = np.nonzero(met)
        order = rng.permutation(len(user))
        weight = rng.choice([0.5, 1.0, 2.0], len(user))
        return Interactions.build(user[order], item[order], weight=weight, n_users=n_users, n_items=n_items)

    return make
