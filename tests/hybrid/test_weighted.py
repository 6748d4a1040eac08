"""The weighted hybrid: its blend by hand, its weights by history length."""

import numpy as np
import pytest

from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.pool import build_pool
from recsys.hybrid.weighted import MIN_USERS, PSEUDO_USERS, Weighted, segment_of


def test_segments_of_history_length():
    """0, 1–4, 5–19, 20–99, 100 and more."""
    assert segment_of(np.array([0, 1, 4, 5, 19, 20, 99, 100, 5000])).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_the_blend_by_hand(planted):
    """Users of 3 and of 8 events are blended by the rows of their segments."""
    p = planted(lambda u: (1, 1, 1), lengths=(3, 8), users=6)
    hybrid = Weighted(p.members)
    hybrid.W[1], hybrid.W[2] = (1, 2, 0), (0, 0.5, 3)
    scores = hybrid.score(p.holdout.history)
    np.testing.assert_allclose(scores[0::2], (p.z[0] + 2 * p.z[1])[0::2], atol=1e-3)
    np.testing.assert_allclose(scores[1::2], (0.5 * p.z[1] + 3 * p.z[2])[1::2], atol=1e-3)


def test_each_segment_has_weights_of_its_own(planted):
    """Users of 3 events choose by a, those of 8 by b."""
    p = planted(lambda u: (0, 2, 0) if u % 2 else (2, 0, 0), lengths=(3, 8), users=1200)
    pool = build_pool(p.members, p.holdout, size=30)
    hybrid = Weighted(p.members).fit_pool(pool)
    short, long = hybrid.W[1], hybrid.W[2]
    # 600 users against 100 pseudo-users, who pull towards the weights of all.
    assert short[0] > 1.4
    assert short[1] < 0.4
    assert long[0] < 0.4
    assert long[1] > 1.4
    part = pool.select(segment_of(pool.length) == 1)
    np.testing.assert_array_equal(short, fit_weights(part, part.z, prior=hybrid.overall, strength=PSEUDO_USERS))
    assert hybrid.weights() == pytest.approx({"a": 0.5, "b": 0.5, "popularity": 0}, abs=0.06)


def test_a_segment_with_few_users_takes_the_weights_of_all(planted):
    few = MIN_USERS - 1
    lengths = (3,) * (10 * few) + (8,) * few
    p = planted(lambda u: (2, 0, 0) if lengths[u] == 3 else (0, 2, 0), lengths=lengths, users=len(lengths))
    hybrid = Weighted(p.members).fit_pool(build_pool(p.members, p.holdout, size=30))
    np.testing.assert_array_equal(hybrid.W[2], hybrid.overall)
    assert not np.array_equal(hybrid.W[1], hybrid.overall)


def test_a_member_that_never_counts_is_left_out_when_compact(planted):
    p = planted(lambda u: (1.5, 1, -1), users=300)
    hybrid = Weighted(p.members).fit_pool(build_pool(p.members, p.holdout, size=30))
    assert list(hybrid.compact().members) == ["a", "b"]
