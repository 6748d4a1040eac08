"""The error rates of the gate on users of whom four in five find nothing: equal models, and a gain that was planted."""

import numpy as np
import pytest

from bench.rows.gate import disagreeing, most, promoted, raised, swapped


@pytest.fixture(scope="module")
def pairs():
    """ndcg@10 of 5,000 users under two models that agree on half of the users; 80% of the values are 0."""
    generator = np.random.default_rng(7)

    found = np.where(generator.random(5000) < 0.2, 1 / np.log2(2 + generator.integers(10, size=5000)), 0.0)
    return disagreeing(np.stack([found, found], axis=1))


@pytest.mark.parametrize(("users", "gates"), [(20, 400), (50, 400), (100, 400), (300, 400)])
def test_equal_models_are_promoted_no_more_often_than_the_level_says(pairs, users, gates):
    """2.5%, one side of a 95% interval; the bound is that of the binomial distribution, exceeded once in 1,000."""
    assert promoted(pairs, users, gates, bootstrap=500) <= most(gates)


def test_equal_models_are_promoted_as_often_as_the_level_says(pairs):
    """Not a gate that never opens."""
    assert promoted(pairs, 300, 400, bootstrap=500) >= 0.005


def test_a_large_gain_is_nearly_always_found_and_a_smaller_one_less_often(pairs):
    large, middle, small = (promoted(pairs, 1000, 100, gain, bootstrap=500) for gain in (0.5, 0.2, 0.05))
    assert large >= 0.97
    assert large > middle > small


def test_what_is_planted_is_what_was_asked_for(pairs):
    generator = np.random.default_rng(0)
    many = pairs[generator.integers(len(pairs), size=200_000)]
    challenger, champion = swapped(many, generator)
    assert challenger.mean() == pytest.approx(champion.mean(), rel=0.01)
    assert raised(challenger, 0.2, pairs, generator).mean() == pytest.approx(1.2 * challenger.mean(), rel=0.01)
