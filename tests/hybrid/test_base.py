"""What every hybrid keeps beside the contract of all models: its pool ranks as it does, and it can be compacted."""

import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.hybrid.pool import build_pool
from recsys.hybrid.table import TABLE
from recsys.metrics.top_k import top_k


@pytest.fixture(scope="module")
def case(planted):
    """Short histories choose by a and long ones by b; nobody by popularity."""
    p = planted(lambda u: (2, 0.5, -1) if u % 2 else (0.5, 2, -1), lengths=(30, 3), users=240, n=80)
    return p, build_pool(p.members, p.holdout, p.tail, size=20)


@pytest.fixture(scope="module", params=TABLE)
def hybrid(request, case):
    p, pool = case
    return TABLE[request.param](p.members).fit_pool(pool)


def test_a_pool_is_ranked_as_the_catalogue_is(hybrid, case):
    p, pool = case
    top, _ = top_k(hybrid.score(p.holdout.history), p.holdout.history, 10)
    scores = hybrid.pool_scores(pool)
    for user in range(pool.n_users):
        mine = slice(pool.indptr[user], pool.indptr[user + 1])
        best = np.argsort(-scores[mine], kind="stable")[:10]
        assert pool.item[mine][best].tolist() == top[user].tolist()


def test_its_compact_form_scores_alike(hybrid, case):
    p, _ = case
    compact = hybrid.compact()
    assert set(compact.members) <= set(hybrid.members)
    np.testing.assert_allclose(compact.score(p.holdout.history), hybrid.score(p.holdout.history), rtol=1e-6)


def test_its_weights_are_shares(hybrid):
    weights = hybrid.weights()
    assert tuple(weights) == ("a", "b", "popularity")
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert min(weights.values()) >= 0


def test_it_beats_every_member_it_was_fitted_on(hybrid, case):
    _, pool = case
    best = max(pool.ndcg(pool.z[:, m]).mean() for m in range(3))
    assert pool.ndcg(hybrid.pool_scores(pool)).mean() > best


def test_a_refit_reaches_every_member_and_keeps_the_weights(hybrid, case):
    class Fitted:
        name = "fitted"

        def fit(self, data):
            self.data = data

    again = type(hybrid)({name: Fitted() for name in hybrid.members}).load(hybrid.state())
    log = case[0].holdout.history
    data = Dataset(log, IdMap.of(range(log.n_users)), IdMap.of(range(log.n_items)))
    assert again.fit(data) is again
    assert all(member.data is data for member in again.members.values())
    assert again.weights() == hybrid.weights()
