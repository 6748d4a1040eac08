"""The bag product against a dense one."""

import torch
from scipy import sparse

from recsys.models.bag import bag

X = sparse.csr_matrix([[0, 2, 0.5], [0, 0, 0], [1, 0, 0]], dtype="float32")
VECTORS = torch.tensor([[1.0, 10], [2, 20], [4, 40]])


def test_rows_are_weighted_sums_of_vectors():
    assert bag(X, VECTORS).tolist() == [[6, 60], [0, 0], [1, 10]]


def test_rows_of_nothing_are_zero():
    assert bag(X[:0], VECTORS).shape == (0, 2)
    assert bag(X[1:2], VECTORS).tolist() == [[0, 0]]
    assert bag(X[:, :0], VECTORS[:0]).tolist() == [[0, 0]] * 3


def test_gradients_reach_the_vectors():
    vectors = VECTORS.clone().requires_grad_()
    bag(X, vectors).sum().backward()
    assert vectors.grad.tolist() == [[1, 1], [2, 2], [0.5, 0.5]]
