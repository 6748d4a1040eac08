"""The pool by hand, and its ndcg against the full ranking."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.hybrid.pool import build_pool
from recsys.metrics.evaluation import evaluate


@pytest.fixture(scope="module")
def case(planted):
    p = planted(lambda u: (1.5, 0.7, 0), users=120, taken=3, lengths=(2, 7))
    return p, build_pool(p.members, p.holdout, p.tail, size=12)


def test_the_pool_by_hand(planted):
    """Six items, of which item 5 is seen and item 4 is taken; each member brings its best two unseen."""
    make = planted(lambda u: (0, 0, 0), users=1).table
    members = {"a": make([[6, 5, 4, 3, 2, 9]]), "popularity": make([[6, 1, 5, 2, 0, 9]])}
    holdout = Holdout(Interactions.of_histories([[5]], 6), Interactions.of_histories([[4]], 6))
    pool = build_pool(members, holdout, np.zeros(holdout.history.n_items, bool), size=2)
    order = np.argsort(pool.item)
    assert pool.item[order].tolist() == [0, 1, 2]  # 0 of both, 1 of a, 2 of popularity
    assert pool.rank[order].tolist() == [[0, 0], [1, 2], [2, 1]]
    assert pool.relevant.tolist() == [False, False, False]
    assert (pool.length.tolist(), pool.n_relevant.tolist(), pool.indptr.tolist()) == ([1], [1], [0, 3])
    np.testing.assert_allclose(pool.z[order, 0], np.array([2, 1, 0]) / np.sqrt(2), rtol=1e-5)


def test_ndcg_is_that_of_the_full_ranking(case):
    """Each member's best twelve are in the pool, so its top ten are."""
    p, pool = case
    for m, (name, member) in enumerate(p.members.items()):
        full = evaluate(member, p.holdout, p.holdout.history).per_user["ndcg@10"]
        np.testing.assert_allclose(pool.ndcg(pool.z[:, m]), full, atol=1e-6, err_msg=name)


def test_equal_scores_are_ordered_as_in_the_full_ranking(planted):
    """So no item gains from its row: everything unseen is in the pool, and nothing tells it apart."""
    p = planted(lambda u: (1, 1, 0), users=120, lengths=(2, 7))
    pool = build_pool(p.members, p.holdout, p.tail, size=30)
    alike = p.table(np.zeros((120, 30)))
    full = evaluate(alike, p.holdout, p.holdout.history).per_user["ndcg@10"]
    np.testing.assert_allclose(pool.ndcg(np.zeros(len(pool.item), np.float32)), full, atol=1e-6)


def test_ndcg_by_hand(case):
    """First and third of three relevant: (1 + 1/2) / (1 + 1/log₂3 + 1/2)."""
    _, pool = case
    one = pool.select(np.arange(pool.n_users) == 0)
    scores = np.zeros(len(one.item), np.float32)
    relevant, other = np.flatnonzero(one.relevant), np.flatnonzero(~one.relevant)
    scores[[relevant[0], other[0], relevant[1]]] = 9, 8, 7
    scores[relevant[2:]] = -9
    assert one.ndcg(scores, k=3)[0] == pytest.approx(1.5 / (1.5 + 1 / np.log2(3)))


def test_what_nobody_brings_counts_in_the_ideal(case):
    _, pool = case
    brought = np.bincount(pool.user[pool.relevant], minlength=pool.n_users)
    assert (brought < pool.n_relevant).any()
    best = pool.ndcg(np.where(pool.relevant, 1, 0).astype(np.float32))
    np.testing.assert_array_equal(best == 0, brought == 0)
    np.testing.assert_array_equal(best == 1, brought == pool.n_relevant)


def test_who_has_no_history_is_served_by_popularity(case):
    _, pool = case
    strangers = np.arange(pool.n_users) < 50
    pool = replace(pool, length=np.where(strangers, 0, pool.length))
    scores = pool.z[:, 0]
    np.testing.assert_array_equal(pool.served(scores), np.where(pool.user < 50, pool.z[:, 2], scores))
    rest, kept = pool.without("popularity"), (pool.user < 50) | (pool.rank[:, :2] < pool.size).any(1)
    assert not kept.all()
    np.testing.assert_array_equal(rest.served(rest.z[:, 0]), pool.served(scores)[kept])
    np.testing.assert_array_equal(rest.ndcg(rest.floor)[:50], pool.ndcg(pool.floor)[:50])


def test_users_are_selected_and_renumbered(case):
    _, pool = case
    part = pool.select(np.isin(np.arange(pool.n_users), [3, 70]))
    assert (part.n_users, part.user.min(), part.user.max()) == (2, 0, 1)
    first, second = np.split(part.item, part.indptr[1:2])
    assert first.tolist() == pool.item[pool.user == 3].tolist()
    assert second.tolist() == pool.item[pool.user == 70].tolist()
    np.testing.assert_array_equal(part.ndcg(part.z[:, 0]), pool.ndcg(pool.z[:, 0])[[3, 70]])


def test_without_a_member_its_own_items_are_gone(case):
    p, pool = case
    rest = pool.without("b")
    alone = build_pool({name: p.members[name] for name in ("a", "popularity")}, p.holdout, p.tail, size=12)
    assert rest.members == alone.members
    np.testing.assert_array_equal(rest.item, alone.item)
    np.testing.assert_array_equal(rest.ndcg(rest.z[:, 1]), alone.ndcg(alone.z[:, 1]))


def test_blocks_do_not_change_the_pool(case, monkeypatch):
    p, pool = case
    monkeypatch.setattr("recsys.hybrid.pool.BLOCK_BYTES", 8 * 30 * 3 * 7)
    told = []
    parts = build_pool(p.members, p.holdout, p.tail, 12, lambda done, of: told.append((done, of)))
    assert told[:2] == [(7, 120), (14, 120)]
    assert told[-1] == (120, 120)
    for name in ("user", "item", "z", "rank", "relevant", "length", "n_relevant", "floor"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(pool, name), err_msg=name)
