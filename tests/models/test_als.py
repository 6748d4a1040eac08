"""iALS against the loss of its docstring, term by term."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.data.interactions import Interactions
from recsys.models.als import ALS, ALSConfig, _batches, _normal_equations, _woodbury

CONFIG = ALSConfig(factors=5, alpha0=0.3, reg=0.3, nu=0.7, fit_half_life=0, half_life=0)


def test_woodbury_is_the_same_vector_as_the_normal_equations():
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(4, 6, 9, generator=generator, dtype=torch.float64)
    w = torch.rand(4, 6, generator=generator, dtype=torch.float64)
    w[:, -1] = 0  # padding
    diagonal = torch.rand(4, 9, generator=generator, dtype=torch.float64) + 0.1
    torch.testing.assert_close(_woodbury(Z, w, diagonal), _normal_equations(Z, w, diagonal))


def test_a_half_step_solves_the_dense_normal_equations(random_log):
    """(Σ w q qᵀ + α₀ QᵀQ + λ ((|S| + α₀ |I|) / mean)^ν) p = Σ w q, for short rows and for rows longer than d."""
    X = random_log().matrix()
    Q = torch.randn(X.shape[1], CONFIG.factors, generator=torch.Generator().manual_seed(0))
    P = ALS(CONFIG).solve(X, Q, mean=3.0)
    q = Q.double().numpy()
    lengths = np.diff(X.indptr)
    assert (lengths < CONFIG.factors).any()
    assert (lengths > CONFIG.factors).any()
    for u, w in enumerate(X.toarray()):
        reg = CONFIG.reg * ((lengths[u] + CONFIG.alpha0 * X.shape[1]) / 3.0) ** CONFIG.nu
        A = (q.T * w) @ q + CONFIG.alpha0 * q.T @ q + reg * np.eye(CONFIG.factors)
        np.testing.assert_allclose(P[u].numpy(), np.linalg.solve(A, q.T @ w), atol=2e-5)
    assert (P[0] == 0).all()  # a user without events


def test_conjugate_gradients_end_where_the_exact_step_does(random_log, monkeypatch):
    X = random_log().matrix()
    X.data = np.linspace(0.5, 2, X.nnz, dtype=np.float32)
    Q = torch.randn(X.shape[1], CONFIG.factors, generator=torch.Generator().manual_seed(0))
    model, P = ALS(CONFIG), torch.zeros(X.shape[0], CONFIG.factors)
    exact = model.solve(X, Q, mean=3.0)
    monkeypatch.setattr("recsys.models.als.STEPS", CONFIG.factors)
    torch.testing.assert_close(model.improve(P, X, Q, mean=3.0), exact, rtol=0, atol=2e-5)
    assert torch.isfinite(model.improve(exact, X, Q, mean=3.0)).all()  # nothing is left to improve


def test_a_row_improves_alike_in_blocks_of_any_size(random_log, monkeypatch):
    X = random_log().matrix()
    Q = torch.randn(X.shape[1], CONFIG.factors, generator=torch.Generator().manual_seed(0))
    model, P = ALS(CONFIG), torch.zeros(X.shape[0], CONFIG.factors)
    at_once = model.improve(P, X, Q, mean=3.0)
    monkeypatch.setattr("recsys.models.als.BLOCK_BYTES", 1)
    torch.testing.assert_close(model.improve(P, X, Q, mean=3.0), at_once)


def loss(config, X, P, Q):
    """L of the docstring."""
    X, predicted = X.toarray(), P @ Q.T
    counts = [(X > 0).sum(axis) for axis in (1, 0)]
    means = [count[count > 0].mean() + config.alpha0 * size for count, size in zip(counts, X.shape[::-1], strict=True)]
    reg_users, reg_items = (
        config.reg * ((count + config.alpha0 * size) / mean) ** config.nu
        for count, size, mean in zip(counts, X.shape[::-1], means, strict=True)
    )
    fit = (X * (predicted - 1) ** 2).sum() + config.alpha0 * (predicted**2).sum()
    return fit + reg_users @ (P**2).sum(1) + reg_items @ (Q**2).sum(1)


def test_every_sweep_lowers_the_loss(random_log, dataset_of):
    log = random_log()
    values = []

    def after_sweep(epoch, model):
        P = model.solve(log.matrix(), model.Q, model.mean)  # the best for these items
        values.append(loss(CONFIG, log.matrix(), P.double().numpy(), model.Q.double().numpy()))
        return False

    ALS(CONFIG).fit(dataset_of(log), after_sweep)
    assert len(values) == CONFIG.epochs
    assert (np.diff(values) < 1e-4).all()
    assert values[-1] < 0.9 * values[0]


def test_it_stops_when_told(random_log, dataset_of):
    seen = []
    ALS(CONFIG).fit(dataset_of(random_log()), lambda epoch, model: seen.append(epoch) or epoch == 3)
    assert seen == [1, 2, 3]


def test_an_item_without_events_scores_zero(random_log, dataset_of):
    log = random_log()
    assert (ALS(CONFIG).fit(dataset_of(log)).score(log)[:, 0] == 0).all()


def test_age_weighs_when_scoring(random_log, dataset_of):
    """With a half-life of 2 events, ages 0, 1 and 2 weigh 1, 1/√2 and 1/2."""
    fitted = ALS(CONFIG).fit(dataset_of(random_log()))
    decaying = ALS(CONFIG.model_copy(update={"half_life": 2.0})).load(fitted.state())
    plain = Interactions.of_histories([[3, 7, 5]], 12)
    weighted = Interactions.build([0, 0, 0], [3, 7, 5], weight=[0.5, 0.5**0.5, 1], n_users=1, n_items=12)
    np.testing.assert_allclose(decaying.score(plain), fitted.score(weighted), rtol=1e-5)


def test_age_weighs_in_training(random_log, dataset_of):
    log = random_log()
    decaying = ALS(CONFIG.model_copy(update={"fit_half_life": 2.0})).fit(dataset_of(log))
    weighted = ALS(CONFIG).fit(dataset_of(replace(log, weight=log.recency(2.0))))
    torch.testing.assert_close(decaying.Q, weighted.Q)
    assert not torch.allclose(decaying.Q, ALS(CONFIG).fit(dataset_of(log)).Q, atol=0.01)


def test_batches_hold_every_event_once(random_log):
    X = random_log(n_users=200).matrix()
    back = np.zeros((X.shape[0], X.shape[1] + 1), np.float32)
    for rows, columns, weights in _batches(X, np.diff(X.indptr), d=4):
        assert columns.shape == weights.shape == (len(rows), columns.shape[1])
        np.add.at(back, (rows[:, None], columns), weights)
    np.testing.assert_array_equal(back[:, :-1], X.toarray())
    assert (back[:, -1] == 0).all()  # padding weighs nothing


@pytest.mark.parametrize(("length", "width"), [(1, 4), (4, 4), (5, 6), (6, 8), (9, 12), (12, 16), (30, 32)])
def test_a_row_is_padded_alike_whatever_the_batch(length, width):
    """To the next power of √2, rounded up: 4, 5.7, 8, 11.3, 16, 22.6, 32 …"""
    log = Interactions.of_histories([list(range(length)), list(range(31))], 31)
    alone = log.select([0]).matrix()
    (batch,) = _batches(alone, np.diff(alone.indptr), d=4)
    both = log.matrix()
    widths = {row: columns.shape[1] for rows, columns, _ in _batches(both, np.diff(both.indptr), 4) for row in rows}
    assert batch[1].shape[1] == widths[0] == width
