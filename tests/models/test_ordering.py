"""The order of rows and columns: communities lie together, and als finds the same vectors whatever the order."""

import numpy as np
import pytest
from scipy import sparse

from recsys.models import als
from recsys.models.als import ALS, ALSConfig
from recsys.models.ordering import alike

KINDS = 8


@pytest.fixture
def communities():
    """Weights [800, 400] of users who stay in their community but for a tenth, and the communities of both sides."""
    rng = np.random.default_rng(3)
    of_user, of_item = rng.integers(0, KINDS, 800), rng.integers(0, KINDS, 400)
    own = [np.flatnonzero(of_item == kind) for kind in range(KINDS)]
    user = np.repeat(np.arange(800), 30)
    item = np.array([rng.choice(own[of_user[u]]) if rng.random() > 0.1 else rng.integers(0, 400) for u in user])
    return sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(800, 400)), of_user, of_item


def test_communities_lie_together(communities):
    X, *labels = communities
    for order, label in zip(alike(X), labels, strict=True):
        assert sorted(order) == list(range(len(label)))
        assert (np.diff(label) == 0).mean() < 0.2  # as they came
        assert (np.diff(label[order]) == 0).mean() > 0.9


def test_rows_and_columns_without_entries_are_there(communities):
    X, *_ = communities
    wider = sparse.csr_matrix((X.data, X.indices, np.append(X.indptr, X.indptr[-1])), shape=(801, 403))
    rows, columns = alike(wider)
    assert sorted(rows) == list(range(801))
    assert sorted(columns) == list(range(403))


def test_als_scores_alike_in_any_order(random_log, dataset_of, monkeypatch):
    log = random_log()

    def scores():
        return ALS(ALSConfig(factors=8, epochs=4)).fit(dataset_of(log)).score(log)

    in_order = scores()
    monkeypatch.setattr(als, "alike", lambda X: tuple(np.arange(n)[::-1].copy() for n in X.shape))
    np.testing.assert_allclose(scores(), in_order, atol=1e-5)
