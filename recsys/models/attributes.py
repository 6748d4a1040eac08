"""Attributes of items: how much each of them says, and what they foretell of an item that nobody has met."""

import numpy as np
from scipy import sparse

from recsys.data.schema import FloatArray, IntArray

RIDGE = 3.0
"""Weight of the squares in the regression of known items' vectors on their attributes; an item weighs √events."""


def informative(attributes: sparse.csr_matrix) -> sparse.csr_matrix:
    """[n_items, a] float32: values times the inverse document frequency of their column, in rows of length 1.

    That frequency is log((n + 1) / (items + 1)). An item without attributes has a row of zeros.
    """
    items = np.bincount(attributes.indices, minlength=attributes.shape[1])
    x = attributes @ sparse.diags_array(np.log((attributes.shape[0] + 1) / (items + 1)))
    length = np.sqrt(np.asarray(x.multiply(x).sum(1)).ravel())
    scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_matrix(sparse.diags_array(scale) @ x, dtype=np.float32)


def foretold(attributes: sparse.csr_matrix, vectors: FloatArray, events: IntArray) -> tuple[IntArray, FloatArray]:
    """Rows [u] of items that have attributes and no events, and what the vectors of all others foretell for them.

    A ridge regression of known items' vectors on their attributes, Gantner et al., "Learning Attribute-to-Feature
    Mappings for Cold-Start Recommendations", ICDM 2010. Cost: a³ for a attributes.

    Args:
        attributes: [n_items, a], see `informative`.
        vectors: [n_items, d] float32; those of items without events are not read.
        events: [n_items] how much is known of each.
    """
    met = events > 0
    unseen = np.flatnonzero(~met & (np.diff(attributes.indptr) > 0))
    if not len(unseen):
        return unseen, np.zeros((0, vectors.shape[1]), np.float32)
    X, weight = attributes[met], sparse.diags_array(np.sqrt(events[met]))
    G = (X.T @ weight @ X).toarray() + RIDGE * np.eye(X.shape[1])
    found = attributes[unseen] @ np.linalg.solve(G, X.T @ (weight @ vectors[met]))
    return unseen, found.astype(np.float32)
