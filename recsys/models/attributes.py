"""Attributes of items: how much each of them says, and what they foretell of an item that nobody has met."""

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

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


class Foretelling:
    """What the vectors of known items foretell for items that have attributes and no events.

    A ridge regression of known items' vectors on their attributes, Gantner et al., "Learning Attribute-to-Feature
    Mappings for Cold-Start Recommendations", ICDM 2010. Cost: a³ for a attributes, the first time it is asked.
    """

    def __init__(self, attributes: sparse.csr_matrix, events: IntArray) -> None:
        """Take attributes [n_items, a], see `informative`, and events [n_items]: how much is known of each."""
        self.attributes, self.events = attributes, events
        self.rows: IntArray = np.flatnonzero((events == 0) & (np.diff(attributes.indptr) > 0))
        """[u] the items."""

    def vectors(self, known: FloatArray) -> FloatArray:
        """[u, d] from the vectors [n_items, d] float32 of all; those of items without events are not read."""
        if not len(self.rows):
            return np.zeros((0, known.shape[1]), np.float32)
        met, factor, weighted = self._regression
        found = self.attributes[self.rows] @ cho_solve(factor, weighted @ known[met])
        return np.asarray(found, dtype=np.float32)

    @cached_property
    def _regression(self) -> tuple[IntArray, Any, sparse.csr_matrix]:
        """Rows of known items, the Cholesky factor of XᵀWX + λI, and XᵀW."""
        met = np.flatnonzero(self.events)
        X = self.attributes[met]
        weighted = X.T @ sparse.diags_array(np.sqrt(self.events[met]))
        return met, cho_factor((weighted @ X).toarray() + RIDGE * np.eye(X.shape[1])), sparse.csr_matrix(weighted)
