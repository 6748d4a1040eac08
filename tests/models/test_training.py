"""Windows by hand, the sampled softmax against the softmax, dropout by its rate, the loop by its calls."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chi2
from torch import nn

from recsys.data.interactions import Interactions
from recsys.models.fm import FM, FMConfig
from recsys.models.sasrec import SASRec, SASRecConfig
from recsys.models.training import (
    Dropout,
    Windows,
    draw_negatives,
    one_thread,
    sampled_softmax,
    spectral_vectors,
    train,
)

NONE = 9  # of nine items: no event
GENERATOR = torch.Generator().manual_seed(0)
H, V, BIAS = (torch.randn(*shape, generator=GENERATOR) for shape in ((6, 4), (7, 4), (7,)))
TARGETS = torch.tensor([0, 3, 3, 6, 2, 1])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0, 3.0])


def items(rows):
    return torch.cat((V, BIAS[:, None]), dim=1)[rows]


def windows_of(log, max_len, tokens):
    """user -> (inputs, targets, past, weights), the latest window first."""
    found = {}
    for batch in Windows(log, max_len).batches(tokens, np.random.default_rng(0)):
        parts = (batch.inputs, batch.targets, batch.past, batch.weights)
        for user, *rows in zip(batch.user.tolist(), *(part.tolist() for part in parts), strict=True):
            found.setdefault(user, []).append(tuple(rows))
    return found


def test_windows_by_hand():
    """User 0 has five events, user 1 none, user 2 one; windows of three targets, the latest whole."""
    log = Interactions.build([0, 0, 0, 0, 0, 2], [1, 2, 3, 4, 5, 8], weight=[1, 2, 3, 4, 5, 6], n_users=3, n_items=NONE)
    found = windows_of(log, max_len=3, tokens=1)
    assert sorted(found) == [0, 2]
    assert sorted(found[0]) == [
        ([2, 3, 4], [3, 4, 5], [2, 3, 4], [3, 4, 5]),
        ([NONE, 1], [1, 2], [0, 1], [1, 2]),
    ]
    assert found[2] == [([NONE], [8], [0], [6])]


def test_what_came_before_a_window_is_a_bag_beside_it():
    """Events that are neither targets nor inputs of a window, nor in a later one; item 1 stands twice in a bag."""
    log = Interactions.build(
        [0] * 6 + [1], [1, 2, 1, 3, 4, 5, 8], weight=[1, 2, 3, 4, 5, 6, 7], n_users=2, n_items=NONE
    )
    windows = Windows(log, max_len=2)
    bags = {
        int(batch.targets[0, -1]): windows.earlier(batch).toarray()[0].tolist()
        for batch in windows.batches(1, np.random.default_rng(0))
    }
    assert bags == {
        5: [0, 1 + 3, 2, 0, 0, 0, 0, 0, 0],
        3: [0, 1, 0, 0, 0, 0, 0, 0, 0],
        2: [0] * NONE,
        8: [0] * NONE,
    }


def test_targets_count_less_with_age_but_what_they_are_predicted_from_does_not():
    """Seconds 0, 10 and 20 with a half-life of half the span."""
    log = Interactions.build([0, 0, 0], [1, 2, 3], [0, 10, 20], [4, 6, 8], n_users=1, n_items=NONE)
    (batch,) = Windows(log, max_len=3, half_life=0.5).batches(10, np.random.default_rng(0))
    assert batch.weights.tolist() == [[4 / 4, 6 / 2, 8]]
    assert batch.past.tolist() == [[0, 4, 6]]


def test_shorter_windows_are_padded_behind():
    found = windows_of(Interactions.of_histories([[1, 2, 3], [4]], NONE), max_len=3, tokens=100)
    assert found[0] == [([NONE, 1, 2], [1, 2, 3], [0, 1, 1], [1, 1, 1])]
    assert found[1] == [([NONE, NONE, NONE], [4, NONE, NONE], [0, 0, 0], [1, 0, 0])]


def test_an_epoch_sees_every_event_once_in_batches_of_like_length():
    rng = np.random.default_rng(3)
    log = Interactions.of_histories(
        [rng.integers(0, NONE, length).tolist() for length in rng.integers(0, 30, 50)], NONE
    )
    batches = list(Windows(log, max_len=8).batches(tokens=64, rng=rng))
    events = [int((batch.weights > 0).sum()) for batch in batches]
    assert sum(events) == len(log)
    assert max(events) <= 64 + 8  # a window is never cut for a batch's sake
    assert sum(batch.weights.numel() for batch in batches) < 1.1 * len(log)  # little padding


def test_with_all_items_as_negatives_it_is_the_softmax():
    loss = sampled_softmax(H, TARGETS, WEIGHTS, items, torch.randperm(7, generator=GENERATOR), 7)
    losses = F.cross_entropy(H @ V.T + BIAS, TARGETS, reduction="none")
    torch.testing.assert_close(loss, (losses * WEIGHTS).sum() / WEIGHTS.sum())


def test_few_negatives_stand_for_all_items():
    """N = 2 of n = 7: each negative counts 7/2 times, and one that is the target itself not at all."""
    loss = sampled_softmax(H, TARGETS, WEIGHTS, items, torch.tensor([3, 5]), 7)
    s = (H @ V.T + BIAS).double().exp().numpy()
    total = 0.0
    for row, target in enumerate(TARGETS.tolist()):
        others = sum(s[row, j] for j in (3, 5) if j != target)
        total += WEIGHTS[row].item() * -math.log(s[row, target] / (s[row, target] + 7 / 2 * others))
    assert loss.item() == pytest.approx(total / WEIGHTS.sum().item(), rel=1e-5)


@pytest.mark.parametrize(("histories", "n"), [([[0]], 3), ([[0, 2]], 3), ([[0], [0]], 1)])
def test_a_log_of_one_user_or_one_item_has_a_spectrum(histories, n):
    vectors = spectral_vectors(Interactions.of_histories(histories, n), 4, 0.1)
    assert torch.isfinite(vectors).all()
    assert (vectors.norm(dim=1) > 0).tolist() == [any(row in met for met in histories) for row in range(n)]


def test_negatives_are_distinct_and_no_more_than_there_are():
    assert sorted(draw_negatives(5, 100, "cpu").tolist()) == [0, 1, 2, 3, 4]
    assert len(set(draw_negatives(100, 20, "cpu").tolist())) == 20
    assert len(set(draw_negatives(10**15, 1000, "cpu").tolist())) == 1000  # whatever the catalogue


@pytest.mark.parametrize("n", [5, 9])
def test_every_pair_of_negatives_is_as_likely_as_any_other(n):
    """All rows shuffled where they are few, and drawn anew where they are many: χ² below its 99.9% quantile."""
    pairs = math.comb(n, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = Counter(frozenset(draw_negatives(n, 2, "cpu").tolist()) for _ in range(100 * pairs))
    assert len(drawn) == pairs
    assert sum((count - 100) ** 2 / 100 for count in drawn.values()) < chi2.ppf(0.999, pairs - 1)


@pytest.mark.parametrize("model", [FM(FMConfig(epochs=1)), SASRec(SASRecConfig(epochs=1))])
def test_what_grows_with_the_catalogue_is_moved_row_by_row(model, dataset_of):
    """All other weights are moved in every step: as many for 50 items as for 20."""
    of_all = []
    for n in (20, 50):
        net = model.fit(dataset_of(Interactions.of_histories([[1, 2, 3], [2, 4]], n))).net
        tables = {part.weight for part in net.modules() if isinstance(part, nn.Embedding) and part.sparse}
        of_all.append(sum(weights.numel() for weights in net.parameters() if weights not in tables))
    assert of_all[0] == of_all[1]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_meets_its_rate_and_keeps_the_mean(rate):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = Dropout(rate)(torch.ones(1001, 301))
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=1 / 256)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert len(dropped.unique()) == 2  # gone, or scaled up


def test_dropout_is_for_training_only():
    x = torch.ones(5, 5)
    assert Dropout(0.0)(x) is x
    assert Dropout(0.5).eval()(x) is x
    assert torch.isfinite(Dropout(0.9999)(x)).all()


def test_one_thread_for_small_steps_and_back():
    before = torch.get_num_threads()
    with one_thread("cpu"):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_the_loop_goes_on_until_told_to_stop():
    net, seen, drawn = nn.Linear(1, 1), [], []

    def batches(rng):
        drawn.append(rng.random())
        yield torch.ones(1, 1)

    def on_epoch(epoch, model):
        assert not net.training
        seen.append((epoch, model))
        return epoch == 3

    how = {"lr": 0.1, "weight_decay": 0.0, "seed": 5, "device": "cpu", "on_epoch": on_epoch}
    train(net, batches, lambda x: (net(x) ** 2).sum(), "the model", epochs=10, **how)
    assert seen == [(1, "the model"), (2, "the model"), (3, "the model")]
    assert len(set(drawn)) == 3  # every epoch has an order of its own
    assert not net.training
    train(net, batches, lambda x: (net(x) ** 2).sum(), "the model", epochs=2, **{**how, "on_epoch": None})
    assert drawn[3:] == drawn[:2]  # and the same one with the same seed
