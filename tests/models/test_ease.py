"""EASE against the textbook formula in float64."""

import numpy as np
import pytest

from recsys.data.interactions import Interactions
from recsys.models.ease import EASE, EASEConfig


def textbook(X, reg):
    """B of eq. 8."""
    P = np.linalg.inv(X.T @ X + reg * np.eye(X.shape[1]))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


def model(reg=3.0, user_norm=0.0, half_life=0.0):
    return EASE(EASEConfig(reg=reg, user_norm=user_norm, half_life=half_life))


def test_equals_the_textbook(random_log, dataset_of):
    log = random_log()
    ease = model().fit(dataset_of(log))
    X = log.matrix().toarray().astype(np.float64)[:, 1:]  # nobody met item 0
    B = textbook(X, reg=3.0)
    np.testing.assert_allclose(ease.B.numpy(), B, atol=1e-5)
    assert (ease.B.diagonal() == 0).all()
    scores = ease.score(log)
    np.testing.assert_allclose(scores[:, 1:], X @ B, atol=1e-4)
    assert (scores[:, 0] == 0).all()


def test_two_items_by_hand(dataset_of):
    """Two users met both items, one met only the first; λ = 1.

    XᵀX + λI = [[4, 2], [2, 3]], its inverse ∝ [[3, −2], [−2, 4]]; so B₁₂ = 2/4 and B₂₁ = 2/3.
    """
    ease = model(reg=1.0).fit(dataset_of(Interactions.of_histories([[0, 1], [1, 0], [0]], 2)))
    np.testing.assert_allclose(ease.B.numpy(), [[0, 1 / 2], [2 / 3, 0]], rtol=1e-6)


def test_users_weigh_by_length_with_a_mean_of_one_over_events(dataset_of):
    """user_norm = 1: lengths 2 and 4 weigh 1/2 and 1/4, over the 6 events 1/3 in the mean: 3/2 and 3/4."""
    log = Interactions.of_histories([[0, 1], [0, 1, 2, 3]], 4)
    X = log.matrix().toarray() * np.sqrt([[3 / 2], [3 / 4]])
    assert np.square(X).sum() == pytest.approx(len(log))  # λ stays on the scale of event counts
    ease = model(user_norm=1.0).fit(dataset_of(log))
    np.testing.assert_allclose(ease.B.numpy(), textbook(X, reg=3.0), atol=1e-6)


def test_age_weighs_when_scoring(random_log, dataset_of):
    """With a half-life of 1 event, ages 0, 1 and 2 weigh 1, 1/2 and 1/4."""
    ease = model(half_life=1.0).fit(dataset_of(random_log()))
    scores = ease.score(Interactions.of_histories([[3, 7, 5]], 12))
    B = ease.B.numpy()  # of items 1 to 11
    np.testing.assert_allclose(scores[0, 1:], B[2] / 4 + B[6] / 2 + B[4], atol=1e-6)


def test_memory_is_known_before_the_fit(random_log, dataset_of):
    """Of 12 items 11 have events: three matrices of 11 × 11 float32."""
    assert EASE.memory_bytes(EASEConfig(), dataset_of(random_log())) == 3 * 11 * 11 * 4
