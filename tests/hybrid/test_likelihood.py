"""Weights by maximum likelihood: closed forms, planted weights, the bound at zero."""

import numpy as np
import pytest

from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.pool import Pool, build_pool


def pool_of(*users):
    """A pool with one member; a user is what the member says of the candidates and which were taken."""
    z = np.concatenate([np.array(scores, np.float32) for scores, _ in users])[:, None]
    sizes = [len(scores) for scores, _ in users]
    relevant = np.concatenate([np.array(taken, bool) for _, taken in users])
    return Pool(
        members=("a",),
        user=np.repeat(np.arange(len(users)), sizes),
        item=np.concatenate([np.arange(size) for size in sizes]),
        z=z,
        rank=np.zeros_like(z),
        relevant=relevant,
        length=np.ones(len(users), np.int64),
        n_relevant=np.array([sum(taken) for _, taken in users]),
        floor=z[:, 0],
        tail=np.zeros(max(sizes), bool),
        size=10,
    )


def test_two_of_three_take_the_better_item():
    """exp(w) / (exp(w) + 1) = 2/3, so w = log 2."""
    pool = pool_of(([1, 0], [1, 0]), ([1, 0], [1, 0]), ([1, 0], [0, 1]))
    assert fit_weights(pool, pool.z)[0] == pytest.approx(np.log(2), abs=1e-4)


def test_items_of_one_user_share_one_vote():
    """One and a half votes of two for the better item: w = log 3."""
    pool = pool_of(([1, 0], [1, 0]), ([1, 0], [1, 1]))
    assert fit_weights(pool, pool.z)[0] == pytest.approx(np.log(3), abs=1e-4)


def test_a_member_that_is_wrong_weighs_nothing():
    pool = pool_of(([1, 0], [0, 1]), ([2, 0, 1], [0, 1, 0]))
    assert fit_weights(pool, pool.z).tolist() == [0]


def test_pseudo_users_pull_towards_the_prior():
    """Stationary where users · (2/3 − σ(w)) = strength · (w − prior); with a strong pull at the prior."""
    pool = pool_of(([1, 0], [1, 0]), ([1, 0], [1, 0]), ([1, 0], [0, 1]))
    prior = np.array([2.0], np.float32)
    (w,) = fit_weights(pool, pool.z, prior=prior, strength=3.0).astype(float)
    assert np.log(2) < w < 2
    assert 3 * (2 / 3 - 1 / (1 + np.exp(-w))) == pytest.approx(3.0 * (w - 2), abs=1e-4)
    assert fit_weights(pool, pool.z, prior=prior, strength=1e6)[0] == pytest.approx(2, abs=1e-3)


def test_planted_weights_are_found(planted):
    """1,500 users choose by 1.5 of a, 0.7 of b and nothing of popularity."""
    p = planted(lambda u: (1.5, 0.7, 0), users=1500)
    pool = build_pool(p.members, p.holdout, p.tail, size=30)
    np.testing.assert_allclose(fit_weights(pool, pool.z), [1.5, 0.7, 0], atol=0.12)


def test_weights_are_never_negative(planted):
    """Users avoid what is popular; the best that popularity can weigh is nothing."""
    p = planted(lambda u: (1.0, 0.5, -1.0), users=800)
    pool = build_pool(p.members, p.holdout, p.tail, size=30)
    weights = fit_weights(pool, pool.z)
    assert weights.dtype == np.float32
    assert weights[2] == 0
    assert (weights[:2] > 0.3).all()
