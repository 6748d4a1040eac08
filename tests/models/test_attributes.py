"""Attributes: rare ones say more, and known items foretell unknown ones."""

import numpy as np
import pytest
from scipy import sparse

from recsys.models.attributes import foretold, informative


def test_rare_attributes_say_more():
    """Of four items all have the first attribute, one the second: log(5 / 5) and log(5 / 2)."""
    given = sparse.csr_matrix(np.array([[1, 0], [1, 0], [1, 1], [1, 0]], np.float32))
    np.testing.assert_allclose(informative(given).toarray(), [[0, 0], [0, 0], [0, 1], [0, 0]], atol=1e-6)


def test_rows_are_of_length_one_or_zero():
    given = sparse.random(50, 9, density=0.2, random_state=0, dtype=np.float32, format="csr")
    lengths = np.linalg.norm(informative(given).toarray(), axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1, rtol=1e-6)
    assert ((lengths > 0) == (np.diff(given.indptr) > 0)).all()


def test_no_attributes_are_no_columns():
    assert informative(sparse.csr_matrix(np.zeros((7, 0), np.float32))).shape == (7, 0)


@pytest.mark.parametrize("events", [[4, 4, 0, 0], [1, 100, 0, 0]])
def test_an_item_takes_after_those_it_shares_attributes_with(events):
    attributes = sparse.csr_matrix(np.array([[1, 0], [0, 1], [0, 1], [0, 0]], np.float32))
    vectors = np.array([[1, 0, 2], [0, 1, 0], [9, 9, 9], [9, 9, 9]], np.float32)
    rows, found = foretold(attributes, vectors, np.array(events))
    assert rows.tolist() == [2]  # the last one has no attributes either
    assert found[0, 1] > 0.25
    np.testing.assert_allclose(found[0, [0, 2]], 0, atol=1e-6)


def test_nothing_is_foretold_where_all_is_known():
    rows, found = foretold(sparse.csr_matrix(np.eye(3, dtype=np.float32)), np.ones((3, 5), np.float32), np.ones(3, int))
    assert len(rows) == 0
    assert found.shape == (0, 5)
