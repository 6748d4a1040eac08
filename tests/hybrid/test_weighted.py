"""The weighted hybrid: its blend by hand, its weights by history length."""

import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.pool import build_pool
from recsys.hybrid.weighted import MIN_USERS, PSEUDO_USERS, Weighted, rho, segment_of
from recsys.metrics.segments import head_items
from recsys.models.table import create


def test_segments_of_history_length():
    """0, 1–4, 5–19, 20–99, 100 and more."""
    assert segment_of(np.array([0, 1, 4, 5, 19, 20, 99, 100, 5000])).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_rho_falls_with_the_rank_and_ends_at_zero():
    """Of the best three: log 4/1, log 4/2, log 4/3, and nothing for the rest."""
    np.testing.assert_allclose(rho(np.array([0, 1, 2, 3]), size=3), np.log([4, 2, 4 / 3, 1]), rtol=1e-6)


def test_the_blend_by_hand(planted):
    """Users of 3 events and of 8 are blended by the rows of their segments; tail and b's best two are worth more."""
    p = planted(lambda u: (1, 1, 1), lengths=(3, 8), users=6)
    hybrid = Weighted(p.members)
    hybrid.size = 2
    hybrid.tail = p.tail
    hybrid.W[1], hybrid.W[2] = (1, 2, 0, 0, 0, 0, 0, 0, 4), (0, 0.5, 3, 0, 7, 0, 0, 0, 0)
    scores = hybrid.score(p.holdout.history)
    np.testing.assert_allclose(scores[0::2], (p.z[0] + 2 * p.z[1] + 4 * p.tail * p.z[2])[0::2], atol=1e-3)
    expected = 0.5 * p.z[1] + 3 * p.z[2]
    for user in (1, 3, 5):
        unseen = np.setdiff1d(np.arange(30), p.holdout.history.select([user]).item)
        first, second = unseen[np.argsort(-p.z[1, user, unseen])[:2]]
        expected[user, first] += 7 * np.log(3 / 1)
        expected[user, second] += 7 * np.log(3 / 2)
    np.testing.assert_allclose(scores[1::2], expected[1::2], atol=1e-3)


def test_each_segment_has_weights_of_its_own(planted):
    """Users of 3 events choose by a, those of 8 by b."""
    p = planted(lambda u: (0, 2, 0) if u % 2 else (2, 0, 0), lengths=(3, 8), users=1200)
    pool = build_pool(p.members, p.holdout, p.tail, size=30)
    hybrid = Weighted(p.members).fit_pool(pool)
    by_member = hybrid.W[:, :3] + hybrid.W[:, 3:6]
    # 600 users against 100 pseudo-users, who pull towards the weights of all.
    assert by_member[1, 0] > 2 * by_member[1, 1]
    assert by_member[2, 1] > 2 * by_member[2, 0]
    assert hybrid.weights() == pytest.approx({"a": 0.5, "b": 0.5, "popularity": 0}, abs=0.06)


def test_a_member_that_knows_the_tail_is_trusted_there(planted):
    """b tells tail items apart, and of head items it says anything."""
    p = planted(lambda u: (1.5, 1.5, 0), users=2000)
    table = p.members["b"].table
    head = np.flatnonzero(~p.tail)
    table[:, head] = 50 * np.random.default_rng(1).standard_normal((len(table), len(head)))
    hybrid = Weighted(p.members).fit_pool(build_pool(p.members, p.holdout, p.tail, size=30))
    on_tail = dict(zip(p.members, hybrid.overall[6:], strict=True))
    assert on_tail["b"] > 0.3
    assert on_tail["b"] > 3 * on_tail["a"]


def test_what_is_tail_follows_the_log(planted):
    p = planted(lambda u: (1, 1, 1), users=50)
    members = {name: create("popularity") for name in ("a", "popularity")}
    log = p.holdout.history
    data = Dataset(log, IdMap.of(range(log.n_users)), IdMap.of(range(log.n_items)))
    np.testing.assert_array_equal(Weighted(members).fit(data).tail, ~head_items(log))


def test_a_segment_is_pulled_towards_the_weights_of_all(planted):
    p = planted(lambda u: (0, 2, 0) if u % 2 else (2, 0, 0), lengths=(3, 8), users=200)
    pool = build_pool(p.members, p.holdout, p.tail, size=30)
    hybrid = Weighted(p.members).fit_pool(pool)
    part = pool.select(segment_of(pool.length) == 1)
    features = np.concatenate((part.z, rho(part.rank, 30), part.z * p.tail[part.item, None]), axis=1)
    expected = fit_weights(part, features, prior=hybrid.overall, strength=PSEUDO_USERS)
    np.testing.assert_array_equal(hybrid.W[1], expected)


def test_a_segment_with_few_users_takes_the_weights_of_all(planted):
    few = MIN_USERS - 1
    lengths = (3,) * (10 * few) + (8,) * few
    p = planted(lambda u: (2, 0, 0) if lengths[u] == 3 else (0, 2, 0), lengths=lengths, users=len(lengths))
    hybrid = Weighted(p.members).fit_pool(build_pool(p.members, p.holdout, p.tail, size=30))
    np.testing.assert_array_equal(hybrid.W[2], hybrid.overall)
    assert not np.array_equal(hybrid.W[1], hybrid.overall)


def test_a_member_that_never_counts_is_left_out_when_compact(planted):
    p = planted(lambda u: (1.5, 1, -1), users=300)
    hybrid = Weighted(p.members).fit_pool(build_pool(p.members, p.holdout, p.tail, size=30))
    assert list(hybrid.compact().members) == ["a", "b"]
