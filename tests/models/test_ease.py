"""EASE against the textbook formula in float64."""

import numpy as np
import pytest

from recsys.data.interactions import Interactions
from recsys.models import ease
from recsys.models.ease import EASE, EASEConfig


def textbook(X, reg):
    """B of eq. 8."""
    P = np.linalg.inv(X.T @ X + reg * np.eye(X.shape[1]))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


def model(reg=3.0, user_norm=0.0, fit_half_life=0.0, half_life=0.0):
    return EASE(EASEConfig(reg=reg, user_norm=user_norm, fit_half_life=fit_half_life, half_life=half_life))


def test_equals_the_textbook(random_log, dataset_of):
    log = random_log()
    fitted = model().fit(dataset_of(log))
    X = log.matrix().toarray().astype(np.float64)[:, 1:]  # nobody met item 0
    B = textbook(X, reg=3.0)
    np.testing.assert_allclose(fitted.B.numpy(), B, atol=1e-5)
    assert (fitted.B.diagonal() == 0).all()
    scores = fitted.score(log)
    np.testing.assert_allclose(scores[:, 1:], X @ B, atol=1e-4)
    assert (scores[:, 0] == 0).all()


def test_two_items_by_hand(dataset_of):
    """Two users met both items, one met only the first; λ = 1.

    XᵀX + λI = [[4, 2], [2, 3]], its inverse ∝ [[3, −2], [−2, 4]]; so B₁₂ = 2/4 and B₂₁ = 2/3.
    """
    fitted = model(reg=1.0).fit(dataset_of(Interactions.of_histories([[0, 1], [1, 0], [0]], 2)))
    np.testing.assert_allclose(fitted.B.numpy(), [[0, 1 / 2], [2 / 3, 0]], rtol=1e-6)


def test_users_weigh_by_length_with_a_mean_of_one_over_events(dataset_of):
    """user_norm = 1: lengths 2 and 4 weigh 1/2 and 1/4, over the 6 events 1/3 in the mean: 3/2 and 3/4."""
    log = Interactions.of_histories([[0, 1], [0, 1, 2, 3]], 4)
    X = log.matrix().toarray() * np.sqrt([[3 / 2], [3 / 4]])
    assert np.square(X).sum() == pytest.approx(len(log))  # λ stays on the scale of event counts
    fitted = model(user_norm=1.0).fit(dataset_of(log))
    np.testing.assert_allclose(fitted.B.numpy(), textbook(X, reg=3.0), atol=1e-6)


def test_age_weighs_when_scoring(random_log, dataset_of):
    """With a half-life of 1 event, ages 0, 1 and 2 weigh 1, 1/2 and 1/4."""
    fitted = model(half_life=1.0).fit(dataset_of(random_log()))
    scores = fitted.score(Interactions.of_histories([[3, 7, 5]], 12))
    B = fitted.B.numpy()  # of items 1 to 11
    np.testing.assert_allclose(scores[0, 1:], B[2] / 4 + B[6] / 2 + B[4], atol=1e-6)


def test_age_weighs_in_training(random_log, dataset_of):
    log = random_log()
    X = log.matrix(log.recency(2.0)).toarray()[:, 1:]
    B = model(fit_half_life=2.0).fit(dataset_of(log)).B.numpy()
    np.testing.assert_allclose(B, textbook(X.astype(np.float64), reg=3.0), atol=1e-5)


def test_the_gram_matrix_is_the_same_in_blocks(random_log, monkeypatch):
    X = random_log().matrix()  # of 12 items: 5 + 5 + 2 rows
    monkeypatch.setattr(ease, "BLOCK_BYTES", 5 * 8 * 12)
    upper = ease.upper_gram(X).triu().numpy()
    np.testing.assert_allclose(upper, np.triu((X.T @ X).toarray()), rtol=1e-6)


def test_memory_is_known_before_the_fit(random_log, dataset_of):
    """Of 12 items 11 have events: one matrix of 11 × 11 float32, and what grows with the log."""
    log = random_log()
    assert EASE.memory_bytes(EASEConfig(), dataset_of(log)) == 4 * 11 * 11 + 40 * len(log) + 2 * ease.BLOCK_BYTES
