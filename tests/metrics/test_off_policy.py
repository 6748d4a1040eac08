"""Off-policy estimates against hand arithmetic and against simulated logs whose truth is known."""

import numpy as np
import pytest

from recsys.metrics.off_policy import (
    LEAST_PROPENSITY,
    Slots,
    compare,
    doubly_robust,
    effective_sample,
    importance,
    predict,
)

ITEMS, PLACES = 8, 3
RATE = np.linspace(0.05, 0.4, ITEMS)[:, None] * np.array([1.0, 0.6, 0.4])
"""[ITEMS, PLACES] truth of the simulation: chance of a click."""


def slots(rows):
    request, item, position, propensity, reward = (np.array(column) for column in zip(*rows, strict=True))
    return Slots(request, item, position, propensity.astype(float), reward.astype(float))


def simulate(requests, seed):
    """Answers of a recommender that draws each place on its own, popular items more often, and what was clicked."""
    generator = np.random.default_rng(seed)
    chance = np.arange(1, ITEMS + 1) / (ITEMS * (ITEMS + 1) / 2)
    item = generator.choice(ITEMS, size=(requests, PLACES), p=chance[::-1])
    reward = generator.random((requests, PLACES)) < RATE[item, np.arange(PLACES)]
    request = np.repeat(np.arange(requests), PLACES)
    position = np.tile(np.arange(1, PLACES + 1), requests)
    return Slots(request, item.ravel(), position, chance[::-1][item.ravel()], reward.ravel().astype(float))


def always(log, items):
    """[N] a recommender that shows everybody the same list."""
    return np.array(items)[log.position - 1]


def truth(items):
    return RATE[items, np.arange(PLACES)].mean()


def test_weights_and_effective_sample_by_hand():
    log = slots([(0, 4, 1, 0.5, 1), (0, 5, 2, 0.25, 0), (1, 4, 1, 0.001, 0), (1, -1, 2, 0.5, 1)])
    weight = importance(log, np.array([4, 5, 4, -1]))
    assert weight.tolist() == [2, 4, 1 / LEAST_PROPENSITY, 0], "an item outside the catalogue is shown by nobody"
    assert importance(log, np.array([5, 4, 3, 2])).tolist() == [0, 0, 0, 0]
    assert effective_sample(np.array([2.0, 4.0])) == pytest.approx(36 / 20)
    assert effective_sample(np.zeros(3)) == 0


def test_doubly_robust_terms_by_hand():
    reward, weight = np.array([1.0, 0.0]), np.array([2.0, 0.0])
    predicted, expected = np.array([0.3, 0.2]), np.array([0.3, 0.5])
    assert doubly_robust(reward, weight, predicted, expected) == pytest.approx([0.3 + 2 * 0.7, 0.5])
    assert doubly_robust(reward, weight, 0 * predicted, 0 * expected) == pytest.approx([2.0, 0.0])


def test_snips_by_hand():
    log = slots([(number, number % 2, 1, (0.8, 0.2)[number % 2], number % 4 == 0) for number in range(400)])
    found = compare(log, np.zeros(400, int), np.ones(400, int), needed=10)
    # Item 0 was shown 200 times and clicked 100 times; item 1 never.
    assert found.challenger.snips.mean == pytest.approx(0.5)
    assert found.champion.snips.mean == found.champion.snips.hi == 0
    assert found.effective == pytest.approx((200, 200))
    assert (found.slots, found.requests) == (400, 400)


def test_predictions_come_from_other_requests():
    log = slots([(number, 0, 1, 1.0, 1) for number in range(50)])
    first, nothing = predict(log, (log.item, np.full(50, -1)))
    assert np.all(nothing == 0)
    assert np.all((first > 0.9) & (first < 1.1))
    alone = slots([(0, 0, 1, 1.0, 1), (0, 1, 2, 1.0, 1)])
    assert predict(alone, (alone.item,))[0].tolist() == [0, 0], "nobody else was answered"


def test_predictions_tell_items_and_positions_apart():
    log = simulate(4000, 0)
    worst, best = predict(log, (np.zeros(len(log), int), np.full(len(log), ITEMS - 1)))
    assert best[log.position == 1].mean() == pytest.approx(RATE[-1, 0], rel=0.2), "rates of rare items are shrunk"
    assert best[log.position == 3].mean() == pytest.approx(RATE[-1, 2], rel=0.2)
    assert worst.mean() == pytest.approx(RATE[0].mean(), abs=0.02)


def test_the_truth_lies_in_the_interval_as_often_as_it_says():
    good, poor = [7, 6, 5], [0, 1, 2]
    inside = {"dr": 0, "snips": 0, "gain": 0}
    trials = 100
    for seed in range(trials):
        log = simulate(1500, seed)
        found = compare(log, always(log, good), always(log, poor), needed=10, resamples=200, seed=seed)
        for name in ("dr", "snips"):
            one = getattr(found.challenger, name)
            inside[name] += one.lo <= truth(good) <= one.hi
        inside["gain"] += found.gain.lo <= truth(good) - truth(poor) <= found.gain.hi
        assert found.gain.lo > 0, "a difference this large is seen every time"
    # Binomial: 95 with a standard deviation of 2.2.
    assert min(inside.values()) >= 88


def test_doubly_robust_varies_less_than_inverse_propensity():
    items = [7, 6, 5]
    robust, plain = [], []
    for seed in range(200):
        log = simulate(300, seed)
        shown = always(log, items)
        weight = importance(log, shown)
        robust.append(doubly_robust(log.reward, weight, *predict(log, (log.item, shown), seed)).mean())
        plain.append((weight * log.reward).mean())
    for estimates in (robust, plain):
        assert np.mean(estimates) == pytest.approx(truth(items), abs=3 * np.std(estimates) / np.sqrt(200))
    assert np.var(robust) < 0.9 * np.var(plain)


def test_the_same_lists_do_not_differ():
    log = simulate(300, 0)
    found = compare(log, always(log, [7, 6, 5]), always(log, [7, 6, 5]), needed=10)
    assert (found.gain.mean, found.gain.lo, found.gain.hi) == (0, 0, 0)


def test_below_the_least_effective_sample_nothing_is_said():
    log = simulate(300, 0)
    found = compare(log, always(log, [7, 6, 5]), always(log, [0, 1, 2]), needed=1000)
    assert (found.challenger, found.champion, found.gain) == (None, None, None)
    assert 0 < found.effective[0] < found.effective[1] < 1000, "good items were shown more rarely"
    nobody = compare(log, np.full(len(log), -1), always(log, [0, 1, 2]), needed=1)
    assert nobody.effective[0] == 0
    assert nobody.gain is None


def test_requests_are_drawn_whole():
    """Ten places of one request that rise and fall together say as much as one."""
    rows = [(request, 0, place, 1.0, request % 2) for request in range(40) for place in range(1, 11)]
    together, apart = slots(rows), slots([(number, *row[1:]) for number, row in enumerate(rows)])
    shown = np.zeros(400, int)
    wide, narrow = (compare(log, shown, shown, needed=1).challenger.dr for log in (together, apart))
    assert wide.hi - wide.lo == pytest.approx(np.sqrt(10) * (narrow.hi - narrow.lo), rel=0.2)


def test_wrong_logs_say_what_was_seen():
    with pytest.raises(ValueError, match=r"propensities in \(0, 1\]; seen 1 places"):
        compare(slots([(0, 0, 1, 0.0, 1)]), np.zeros(1, int), np.zeros(1, int), needed=1)
