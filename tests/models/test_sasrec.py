"""SASRec: causal, aware of order, blind to what is older than T events."""

import numpy as np
import pytest
import torch

from recsys.data.interactions import Interactions
from recsys.errors import InputError
from recsys.models.sasrec import SASRec, SASRecConfig, _Net
from recsys.models.training import Windows, with_bias

N = 10
CONFIG = SASRecConfig(width=8, heads=2, blocks=2, max_len=5, epochs=60, lr=0.02, batch_tokens=60, dropout=0.1)


@pytest.fixture(scope="module")
def walker(dataset_of):
    """A model of users who walk a ring of items, each from an item of its own: after i comes i + 1."""
    walks = [[(start + step) % N for step in range(8)] for start in range(N) for _ in range(3)]
    return SASRec(CONFIG).fit(dataset_of(Interactions.of_histories(walks, N)))


def test_the_next_item_of_a_walk_comes_first(walker):
    histories = [[(start + step) % N for step in range(4)] for start in range(N)]
    best = walker.score(Interactions.of_histories(histories, N)).argmax(1)
    assert best.tolist() == [(start + 4) % N for start in range(N)]


def test_order_matters(walker):
    forth, back = walker.score(Interactions.of_histories([[3, 4, 5], [5, 4, 3]], N))
    assert forth.argmax() == 6
    assert not np.allclose(forth, back, atol=0.1)


def test_no_state_sees_what_comes_later():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = _Net(N, CONFIG).eval()
    inputs = torch.tensor([[N, 1, 2, 3, 4], [N, 1, 2, 7, 8]])
    H = net(inputs)
    torch.testing.assert_close(H[0, :3], H[1, :3])
    assert not torch.allclose(H[0, 3], H[1, 3])


def test_a_history_is_scored_by_its_last_state(walker):
    """Start, 4, 5 with padding behind: the state at the place of 5 against all items."""
    (scores,) = walker.score(Interactions.of_histories([[4, 5]], N))
    net = walker.net
    h = net(torch.tensor([[N, 4, 5, N, N]]))[0, 2]
    vectors, bias = with_bias(net.items.weight[:-1])
    expected = vectors @ h + bias
    np.testing.assert_allclose(scores, expected.detach().numpy(), atol=1e-5)


def test_only_the_last_events_count(walker):
    long, short = walker.score(Interactions.of_histories([[9, 8, 7, 6, 1, 2, 3, 4], [6, 1, 2, 3, 4]], N))
    np.testing.assert_allclose(long, short, atol=1e-5)


@pytest.mark.parametrize("length", range(2 * CONFIG.max_len + 1))
def test_a_history_is_scored_from_what_training_saw(walker, length):
    """The state that scores a history of any length is the one from which training predicts what comes after it."""
    history = [1 + step % (N - 1) for step in range(length)]
    windows = Windows(Interactions.of_histories([[*history, 0]], N), CONFIG.max_len)
    (last,) = (batch for batch in windows.batches(1, np.random.default_rng(0)) if batch.targets[0, -1] == 0)
    vectors, bias = with_bias(walker.net.items.weight[:-1])
    expected = vectors @ walker.net(last.inputs)[0, -1] + bias
    (scores,) = walker.score(Interactions.of_histories([history], N))
    np.testing.assert_allclose(scores, expected.detach().numpy(), atol=1e-5)


def test_heads_divide_the_width():
    with pytest.raises(InputError, match=r"models\.params\.sasrec: width 10 is not a multiple of heads 4"):
        SASRec(SASRecConfig(width=10, heads=4))


@pytest.mark.parametrize("ask", [lambda m: m.state(), lambda m: m.score(Interactions.of_histories([[]], N))])
def test_it_is_asked_after_fitting(ask):
    with pytest.raises(RuntimeError, match=r"sasrec: (state|score) before fit"):
        ask(SASRec())
