"""An order of rows and columns in which those alike lie side by side: what neighbours share is fetched once.

Hill, "Reciprocal averaging: an eigenvector method of ordination", Journal of Ecology, 1973: a row's place is the mean
place of its columns, a column's the mean of its rows. From random places a few rounds tell communities apart; they do
not have to converge, since only the order counts. A round costs O(nnz).
"""

from typing import Any

import numpy as np
from scipy import sparse

from recsys.data.schema import FloatArray, IntArray

ROUNDS = 4
TINY = np.float32(1e-30)
"""In place of the weight of a row without entries."""


def alike(X: sparse.csr_matrix) -> tuple[IntArray, IntArray]:
    """The rows of X, which holds no negative weight, and its columns, each in such an order.

    >>> X = sparse.csr_matrix([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=np.float32)
    >>> rows, columns = alike(X)
    >>> X[rows][:, columns].toarray().astype(int).tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    Xt = X.T.tocsr()
    weight_of_row, weight_of_column = _weights(X), _weights(Xt)
    column: np.ndarray[Any, Any] = np.random.default_rng(0).standard_normal(X.shape[1], dtype=np.float32)
    for _ in range(ROUNDS):
        row = X @ column / weight_of_row
        column = Xt @ row / weight_of_column
    return np.argsort(row, kind="stable"), np.argsort(column, kind="stable")


def _weights(X: sparse.csr_matrix) -> FloatArray:
    weights: FloatArray = np.maximum(np.asarray(X.sum(1), dtype=np.float32).ravel(), TINY)
    return weights
