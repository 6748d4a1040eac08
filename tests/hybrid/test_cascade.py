"""The cascade: who recalls, what is re-ranked, what stays below."""

import numpy as np

from recsys.hybrid.cascade import Cascade
from recsys.hybrid.likelihood import fit_weights
from recsys.hybrid.pool import build_pool


def test_the_member_that_brings_most_recalls(planted):
    p = planted(lambda u: (0.3, 2, 0.3), users=300)
    pool = build_pool(p.members, p.holdout, p.tail, size=5)
    hybrid = Cascade(p.members).fit_pool(pool)
    best_five = [set(row) for row in np.argsort(-hidden(p.z[1], p.holdout.history), 1)[:, :5].tolist()]
    brought = sum(item in own for item, own in zip(p.holdout.truth.item.tolist(), best_five, strict=True))
    assert (pool.relevant & (pool.rank[:, 1] < 5)).sum() == brought
    assert list(p.members)[hybrid.recaller] == "b"


def hidden(z, history):
    """Scores without the seen items."""
    z = z.copy()
    z[history.user, history.item] = -np.inf
    return z


def test_the_blend_ranks_what_was_recalled_and_the_recaller_the_rest(planted):
    p = planted(lambda u: (1, 1, 1), users=7)
    hybrid = Cascade(p.members)
    hybrid.recaller, hybrid.size, hybrid.w = 1, 4, np.array([3, 0, 1], np.float32)
    order = np.argsort(-hidden(hybrid.score(p.holdout.history), p.holdout.history), 1)
    recall = np.argsort(-hidden(p.z[1], p.holdout.history), 1)
    blend = 3 * p.z[0] + p.z[2]
    for user in range(7):
        first = sorted(recall[user, :4], key=lambda item: -blend[user, item])
        assert order[user].tolist()[:28] == [*first, *recall[user, 4:28]]  # 2 of 30 items are seen


def test_weights_are_fitted_on_what_was_recalled(planted):
    p = planted(lambda u: (1, 1.5, 0), users=300)
    pool = build_pool(p.members, p.holdout, p.tail, size=10)
    hybrid = Cascade(p.members).fit_pool(pool)
    recalled = pool.where(pool.rank[:, hybrid.recaller] < 10)
    assert len(recalled.user) < len(pool.user)
    np.testing.assert_array_equal(hybrid.w, fit_weights(recalled, recalled.z))


def test_what_was_taken_and_not_recalled_does_not_speak_for_weights_of_zero(planted):
    """Users choose by a and b alike, and often what only the other of the two brings."""
    p = planted(lambda u: (1, 1, 0), users=2000)
    hybrid = Cascade(p.members).fit_pool(build_pool(p.members, p.holdout, p.tail, size=5))
    np.testing.assert_allclose(hybrid.w, (1, 1, 0), atol=0.1)


def test_the_rest_keeps_the_recallers_order_however_close(planted):
    p = planted(lambda u: (1, 1, 1), users=1)
    table = np.repeat(np.arange(15.0), 2) + np.tile([0, 0.001], 15)  # of a standard deviation of 4
    hybrid = Cascade({"a": p.table(table[None]), "b": p.members["b"]})
    hybrid.size, hybrid.w = 3, np.ones(2, np.float32)
    history = p.holdout.history
    order = np.argsort(-hidden(hybrid.score(history), history)[0])
    recall = np.argsort(-hidden(table[None].astype(np.float32), history)[0])
    assert order.tolist()[3:28] == recall.tolist()[3:28]


def test_compact_keeps_the_recaller_whatever_its_weight(planted):
    p = planted(lambda u: (1, 1, 1), users=3)
    hybrid = Cascade(p.members)
    hybrid.recaller, hybrid.w = 2, np.array([0, 1, 0], np.float32)
    compact = hybrid.compact()
    assert list(compact.members) == ["b", "popularity"]
    assert list(compact.members)[compact.recaller] == "popularity"
    assert compact.w.tolist() == [1, 0]
