"""The factorization machine against eq. 1 of Rendle 2010, pair by pair."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys.data.interactions import Interactions
from recsys.models.fm import FM, FMConfig, _decay
from recsys.models.training import Windows, popularity_bias, with_bias

CONFIG = FMConfig(width=3, half_life=2.0, norm=0.5, epochs=1, max_len=4, batch_tokens=16)


@pytest.fixture(scope="module")
def fitted(random_log, dataset_of):
    """A model that has seen attributes of users and of items."""
    rng = np.random.default_rng(0)
    log = random_log()
    log = replace(log, features=sparse.csr_matrix(rng.integers(0, 2, (log.n_users, 2)).astype(np.float32)))
    attributes = sparse.csr_matrix(rng.integers(0, 3, (log.n_items, 4)).astype(np.float32))
    model = FM(CONFIG).fit(dataset_of(log, attributes))
    with torch.no_grad():
        model.net.item.weight[:, -1] += torch.randn(log.n_items)
        model.net.item_feature.weight[:, -1] += torch.randn(4)
        model.net.ever_feature.weight += torch.randn(4, CONFIG.width)
    x = attributes.toarray() * np.log((log.n_items + 1) / ((attributes.toarray() > 0).sum(0) + 1))
    return model, log, x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


def brute_force(net, events, of_user, item, attributes):
    """Linear terms of the item's part and all pairs between the context's features and the item's."""
    of_item = attributes[item]
    v = {name.removesuffix(".weight"): value.detach().double().numpy() for name, value in net.named_parameters()}
    d = len(v["context"])
    context = [(1.0, v["context"])]
    decayed = [weight * 2 ** (-(len(events) - 1 - place) / 2.0) for place, (_, weight) in enumerate(events)]
    for x, table in ((decayed, v["recent_last"][:, :d]), ([weight for _, weight in events], v["ever"])):
        context += [(xi / sum(x) ** 0.5, table[row]) for xi, (row, _) in zip(x, events, strict=True)]
    total = sum(weight for _, weight in events)
    for row, weight in events:
        context += [(weight * a / total**0.5, v["ever_feature"][j]) for j, a in enumerate(attributes[row])]
    context += [(1.0, v["recent_last"][events[-1][0] if events else -1, d:])]
    context += [(value, v["user_feature"][j]) for j, value in enumerate(of_user)]
    about = [(1.0, v["item"][item])] + [(value, v["item_feature"][j]) for j, value in enumerate(of_item)]
    linear = sum(xl * vl[-1] for xl, vl in about)
    pairs = sum(xj * xl * (vj @ vl[:-1]) for xj, vj in context for xl, vl in about)
    return linear + pairs


def test_equals_the_equation_pair_by_pair(fitted):
    model, log, attributes = fitted
    scores = model.score(log)
    of_users = log.features.toarray()
    for user in range(5):  # user 0 has no events
        mine = log.user == user
        events = list(zip(log.item[mine], log.weight[mine].astype(float), strict=True))
        for item in np.unique(log.item):
            expected = brute_force(model.net, events, of_users[user], item, attributes)
            assert scores[user, item] == pytest.approx(expected, abs=1e-4)


def test_without_attributes_of_the_user_their_terms_are_left_out(fitted):
    model, log, attributes = fitted
    scores = model.score(Interactions.of_histories([[3, 5]], log.n_items))
    assert scores[0, 7] == pytest.approx(brute_force(model.net, [(3, 1.0), (5, 1.0)], [], 7, attributes), abs=1e-4)


def test_an_item_nobody_met_scores_as_its_attributes_foretell(fitted):
    """Least squares with weights √events and ridge 3, solved column by column with augmented rows."""
    model, log, attributes = fitted
    events = np.bincount(log.item, minlength=log.n_items)
    assert events[0] == 0
    known = events > 0
    with torch.no_grad():
        given, found = model._items(torch.arange(log.n_items)).numpy(), model._all_items().numpy()
    root = np.sqrt(np.sqrt(events[known]))[:, None]
    rows = np.vstack((root * attributes[known], np.sqrt(3.0) * np.eye(4)))
    weights = np.linalg.lstsq(rows, np.vstack((root * given[known], np.zeros((4, 4)))), rcond=None)[0]
    np.testing.assert_allclose(found[0], attributes[0] @ weights, atol=1e-4)
    np.testing.assert_allclose(found[known], given[known])


@pytest.mark.parametrize("max_len", [4, 20])
def test_training_predicts_from_what_scoring_scores_from(dataset_of, max_len):
    """Item t is event t. What is older than a window counts in the bag of all items, if not in that of recent ones."""
    log = Interactions.build(np.zeros(11), np.arange(11), weight=1 + np.arange(11) % 3, n_users=2, n_items=11)
    attributes = sparse.csr_matrix(np.eye(4, dtype=np.float32)[np.arange(11) % 4])
    config = CONFIG.model_copy(update={"max_len": max_len, "epochs": 5, "lr": 0.1})
    model = FM(config).fit(dataset_of(log, attributes))
    assert model.net.ever.weight.abs().max() > 0.1
    assert model.net.ever_feature.weight.abs().max() > 0.1
    if max_len < len(log):
        with torch.no_grad():
            model.net.recent_last.weight[:, : CONFIG.width] = 0
    vectors, biases = with_bias(model._all_items())
    targets = []
    windows = Windows(log, max_len)
    for batch in windows.batches(1, np.random.default_rng(0)):
        q = model._contexts(batch, windows.earlier(batch), sparse.csr_matrix((1, 0)))
        scores = q[0] @ vectors.T + biases
        for target, found in zip(batch.targets[0].tolist(), scores, strict=True):
            expected = model.score(log.where(np.arange(11) < target))[0]
            np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-5)
            targets.append(target)
    assert sorted(targets) == list(range(11))


def test_the_bag_of_training_is_the_bag_of_scoring():
    """Target t sees input s with the age t − s: weights 1, 2^−½, 2^−1 for a half-life of 2."""
    expected = [[1, 0, 0], [0.5**0.5, 1, 0], [0.5, 0.5**0.5, 1]]
    np.testing.assert_allclose(_decay(3, half_life=2.0), expected, rtol=1e-6)


def test_items_start_at_their_spectrum_and_popularity_and_those_without_events_at_nothing(random_log, dataset_of):
    log = random_log()
    rare = log.where(log.item != 1)
    net = FM(CONFIG.model_copy(update={"lr": 1e-12, "weight_decay": 0.0})).fit(dataset_of(rare)).net
    assert net.item.weight[[0, 1]].abs().max() < 1e-6
    assert net.item.weight[2:, :-1].abs().max(1).values.min() > 1e-3
    torch.testing.assert_close(net.item.weight[2:, -1], popularity_bias(rare)[2:])


def test_an_item_nobody_met_is_not_pushed_down(random_log, dataset_of):
    """Item 0 has no events and the only attribute 0: no gradient reaches either."""
    log = random_log()
    log = log.where(log.item != 0)
    attributes = sparse.csr_matrix(np.eye(2, dtype=np.float32)[np.minimum(np.arange(log.n_items), 1)])
    config = CONFIG.model_copy(update={"weight_decay": 0.0, "negatives": 1000})
    net = FM(config).fit(dataset_of(log, attributes)).net
    assert net.item.weight[0, -1] == net.item_feature.weight[0, -1] == 0
    assert net.item_feature.weight[1, -1] != 0


def test_it_follows_the_trend(dataset_of):
    """400 users took one item each, one of 0 to 4 at first, one of 5 to 9 since; a stranger is offered what is new."""
    when = np.arange(400)
    items = when % 5 + 5 * (when >= 200)
    log = Interactions.build(when, items, when, n_users=400, n_items=10)
    liked = {}
    for trend in (0.0, 0.1):
        config = CONFIG.model_copy(update={"trend": trend, "epochs": 30, "lr": 0.03})
        scores = FM(config).fit(dataset_of(log)).score(Interactions.of_histories([[]], 10))[0]
        liked[trend] = scores[5:].mean() - scores[:5].mean()
    assert abs(liked[0.0]) < 0.3
    assert liked[0.1] > 1.0


def test_scoring_comes_after_fitting():
    with pytest.raises(RuntimeError, match="fm: used before fit"):
        FM().score(Interactions.of_histories([[]], 2))
