"""Attributes: rare ones say more, and known items foretell unknown ones."""

import numpy as np
import pytest
from scipy import sparse

from recsys.models import attributes
from recsys.models.attributes import Foretelling, informative


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
    given = sparse.csr_matrix(np.array([[1, 0], [0, 1], [0, 1], [0, 0]], np.float32))
    vectors = np.array([[1, 0, 2], [0, 1, 0], [9, 9, 9], [9, 9, 9]], np.float32)
    foretelling = Foretelling(given, np.array(events))
    assert foretelling.rows.tolist() == [2]  # the last one has no attributes either
    found = foretelling.vectors(vectors)
    assert found[0, 1] > 0.25
    np.testing.assert_allclose(found[0, [0, 2]], 0, atol=1e-6)


def test_nothing_is_foretold_where_all_is_known():
    foretelling = Foretelling(sparse.csr_matrix(np.eye(3, dtype=np.float32)), np.ones(3, int))
    assert foretelling.vectors(np.ones((3, 5), np.float32)).shape == (0, 5)


def test_what_does_not_change_is_computed_once(monkeypatch):
    """Vectors move from epoch to epoch; attributes and events stay."""
    factors = []

    def factor(G, whole=attributes.cho_factor):
        factors.append(whole(G))
        return factors[-1]

    monkeypatch.setattr(attributes, "cho_factor", factor)
    foretelling = Foretelling(sparse.csr_matrix(np.array([[1, 0], [1, 1]], np.float32)), np.array([4, 0]))
    one, two = (foretelling.vectors(np.full((2, 3), value, np.float32)) for value in (1, 2))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
    assert len(factors) == 1
