"""Stacking: what a learner sees that a blend cannot, and what is left to the blend."""

import numpy as np
import pytest

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.hybrid.pool import build_pool, ranked_scores
from recsys.hybrid.stacking import Stacking
from recsys.hybrid.weighted import Weighted


@pytest.fixture(scope="module")
def middling(planted):
    """Users who take the item that member a puts nearest to z = 1, neither its best nor its worst."""
    p = planted(lambda u: (0, 0, 0), users=300)
    gap = np.abs(p.z[0] - 1)
    gap[p.holdout.history.user, p.holdout.history.item] = np.inf
    truth = Interactions.of_histories(gap.argmin(1)[:, None].tolist(), 30)
    return p.members, Holdout(p.holdout.history, truth)


def test_the_learner_finds_what_no_blend_can(middling):
    members, holdout = middling
    pool = build_pool(members, holdout, np.zeros(holdout.history.n_items, bool), size=30)
    fitting = np.arange(pool.n_users) < 200
    judged = pool.select(~fitting)
    stacking, weighted = (kind(members).fit_pool(pool.select(fitting)) for kind in (Stacking, Weighted))
    value = judged.ndcg(stacking.pool_scores(judged)).mean()
    assert value > judged.ndcg(weighted.pool_scores(judged)).mean() + 0.3
    assert value > 0.7


def test_what_no_member_brings_stays_below_in_the_order_of_the_blend(middling):
    members, holdout = middling
    hybrid = Stacking(members).fit_pool(build_pool(members, holdout, np.zeros(holdout.history.n_items, bool), size=3))
    scores = hybrid.score(holdout.history)
    z, rank = ranked_scores(members, holdout.history, 3)
    blend, brought = np.tensordot(hybrid.w, z, axes=1), (rank < 3).any(0)
    for user, own in enumerate(brought):
        assert 3 <= own.sum() <= 3 * len(members)
        assert scores[user, own].min() > scores[user, ~own].max()
        rise = np.diff(scores[user, ~own][np.argsort(blend[user, ~own])])
        np.testing.assert_allclose(rise, np.diff(np.sort(blend[user, ~own])), atol=1e-5)


def test_without_anything_taken_the_blend_answers(middling):
    members, holdout = middling
    pool = build_pool(members, holdout, np.zeros(holdout.history.n_items, bool), size=3)
    unlucky = pool.select(np.bincount(pool.user[pool.relevant], minlength=300) == 0)
    assert unlucky.n_users > 10
    hybrid = Stacking(members).fit_pool(unlucky)
    assert hybrid.learner is None
    expected = unlucky.z @ hybrid.w * np.float32(1.0001)
    np.testing.assert_allclose(hybrid.pool_scores(unlucky), expected, rtol=1e-5)
    assert Stacking(members).load(hybrid.state()).learner is None


def test_trees_of_another_kind_are_not_loaded(middling):
    import skops.io
    from sklearn.tree import DecisionTreeClassifier
    from skops.io.exceptions import UntrustedTypesFoundException

    class Stranger(DecisionTreeClassifier):
        pass

    members, _ = middling
    state = Stacking(members).state() | {"trees": np.frombuffer(skops.io.dumps(Stranger()), np.uint8)}
    with pytest.raises(UntrustedTypesFoundException, match="Stranger"):
        Stacking(members).load(state)
