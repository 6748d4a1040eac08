"""Mult-VAE: its likelihood by hand, its encoder, its input dropout."""

import math

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys.data.interactions import Interactions
from recsys.models.multvae import MultVAE, MultVAEConfig, _hide, _Net
from recsys.models.training import with_bias

N = 12
CONFIG = MultVAEConfig(width=6, half_life=0)


def bags(*rows):
    return sparse.csr_matrix(np.array(rows, np.float32))


def untrained(**changed):
    config = CONFIG.model_copy(update=changed)
    model = MultVAE(config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.net = _Net(N, config.width)
    return model


def test_with_all_items_as_negatives_it_is_the_multinomial_likelihood(random_log):
    """−Σ_i x_i log π_i, π = softmax over the catalogue, mean over histories (eq. 2)."""
    model, x = untrained(negatives=N), random_log().matrix()[1:6]
    h = torch.randn(5, CONFIG.width, generator=torch.Generator().manual_seed(1))
    vectors, bias = with_bias(model.net.outputs.weight)
    logits = (h @ vectors.T + bias).detach().double().numpy()
    log_pi = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(x.toarray() * log_pi).sum(1).mean()
    assert model._reconstruction(h, x).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("negatives", [1, 5, N])
def test_negatives_stand_for_all_other_items(negatives):
    """Where all logits are equal, π_i = 1/12 for any number of negatives: 3 events cost 3 log 12."""
    model = untrained(negatives=negatives)
    x = bags([1, 1, 0, 1] + [0] * 8)
    with torch.no_grad():
        model.net.outputs.weight.zero_()
    missed = 0
    for seed in range(10):
        torch.manual_seed(seed)
        loss = model._reconstruction(torch.zeros(1, CONFIG.width), x).item()
        missed += loss != pytest.approx(3 * math.log(12), rel=1e-5)
    # A single negative may be one of the history's own items; then nothing stands for the others.
    assert missed <= (6 if negatives == 1 else 0)


def test_the_encoder_sees_direction_and_not_length():
    net = untrained().net
    once, thrice = bags([1, 2, 0] + [0] * 9), bags([3, 6, 0] + [0] * 9)
    torch.testing.assert_close(net.encode(once), net.encode(thrice))
    hidden = torch.tanh((net.inputs.weight[0] + 2 * net.inputs.weight[1]) / math.sqrt(5) + net.input_bias)
    torch.testing.assert_close(net.encode(once)[0][0], net.mu(hidden))
    torch.testing.assert_close(net.encode(once)[1][0], net.log_variance(hidden))


def test_the_score_is_the_decoder_at_the_posterior_mean():
    model = untrained()
    history = Interactions.of_histories([[2, 5], []], N)
    mu, _ = model.net.encode(history.matrix())
    vectors, bias = with_bias(model.net.outputs.weight)
    expected = torch.tanh(model.net.decoder(mu)) @ vectors.T + bias
    np.testing.assert_allclose(model.score(history), expected.detach().numpy(), atol=1e-6)


def test_training_starts_from_a_linear_autoencoder():
    """Small vectors pass tanh and the identities unchanged: score = 2 x V Vᵀ + b, x of length 1."""
    model = untrained()
    V = torch.randn(N, CONFIG.width, generator=torch.Generator().manual_seed(0)) / 100
    bias = torch.arange(N) / 1000
    model.net.start(V, bias)
    scores = model.score(Interactions.of_histories([[2, 5]], N))
    np.testing.assert_allclose(scores, (2 * (V[2] + V[5]) / math.sqrt(2) @ V.T + bias)[None], rtol=1e-3, atol=1e-8)


def test_age_weighs_when_scoring():
    """With a half-life of 1 event, ages 0 and 1 weigh 1 and 1/2."""
    model = untrained(half_life=1.0)
    weighted = Interactions.build([0, 0], [2, 5], weight=[0.5, 1], n_users=1, n_items=N)
    expected = untrained().score(weighted)
    np.testing.assert_allclose(model.score(Interactions.of_histories([[2, 5]], N)), expected, rtol=1e-5)


def test_input_dropout_hides_a_share_of_events():
    x = sparse.csr_matrix(np.tile(np.arange(1, 51, dtype=np.float32), (400, 1)))
    shown = _hide(x, 0.3, np.random.default_rng(0))
    assert shown.nnz / x.nnz == pytest.approx(0.7, abs=0.01)
    rows, columns = shown.nonzero()
    np.testing.assert_array_equal(np.asarray(shown[rows, columns]).ravel(), columns + 1)
    assert _hide(x, 0.0, np.random.default_rng(0)).nnz == x.nnz


def test_scoring_comes_after_fitting():
    with pytest.raises(RuntimeError, match="multvae: used before fit"):
        MultVAE().score(Interactions.of_histories([[]], 2))
