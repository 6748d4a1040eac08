"""Switching: one member a segment, the best over all where a segment has few users."""

import numpy as np

from recsys.hybrid.pool import build_pool
from recsys.hybrid.switching import Switching
from recsys.hybrid.weighted import MIN_USERS


def test_every_segment_is_answered_by_its_best(planted):
    """Users of 3 events choose by a, those of 8 by popularity, and a few of 25 by b; a is best over all."""
    few = MIN_USERS - 1
    lengths = (3,) * 300 + (8,) * 150 + (25,) * few
    by = {3: (3, 0, 0), 8: (0, 0, 3), 25: (0, 3, 0)}
    p = planted(lambda u: by[lengths[u]], lengths=lengths, users=len(lengths), n=40)
    pool = build_pool(p.members, p.holdout, p.tail, size=40)
    hybrid = Switching(p.members).fit_pool(pool)
    assert hybrid.choice.tolist() == [0, 0, 2, 0, 0]
    assert hybrid.users.tolist() == [0, 300, 150, few, 0]
    share = 150 / (450 + few)
    assert hybrid.weights() == {"a": round(1 - share, 4), "b": 0, "popularity": round(share, 4)}
    scores = hybrid.score(p.holdout.history)
    np.testing.assert_allclose(scores[:300], p.z[0][:300], atol=1e-3)
    np.testing.assert_allclose(scores[300:450], p.z[2][300:450], atol=1e-3)
    assert list(hybrid.compact().members) == ["a", "popularity"]


def test_a_member_is_asked_for_its_own_users_only(planted):
    p = planted(lambda u: (1, 1, 1), users=4)
    hybrid = Switching(p.members)
    hybrid.choice[:] = 1
    hybrid.score(p.holdout.history)
    assert [member.asked for member in p.members.values()] == [0, 1, 0]
