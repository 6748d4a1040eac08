"""Drift against hand arithmetic, and what holds for every pair of logs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from recsys.data.idmap import IdMap
from recsys.metrics.drift import Shift, popularity_shift, score_shift, unknown_share

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=30)
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40).map(np.array)


@st.composite
def pairs(draw):
    """Two logs of the same items, neither of them empty."""
    reference = draw(COUNTS.filter(any))
    recent = draw(st.lists(st.integers(0, 50), min_size=len(reference), max_size=len(reference)).filter(any))
    return np.array(reference), np.array(recent)


def test_the_distance_by_hand():
    """p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4): ½ (½ log2 ⅔ + ½ log2 2) + ½ log2 4/3 = 0.311278."""
    shift = popularity_shift(np.array([2, 2]), np.array([7, 0]))
    assert shift.value == pytest.approx(np.sqrt(0.311278), abs=1e-6)


@given(pairs())
def test_the_distance_is_that_of_scipy(both):
    assert popularity_shift(*both).value == pytest.approx(jensenshannon(*both, base=2), abs=1e-7)


@given(pairs())
def test_the_distance_is_symmetric_and_between_0_and_1(both):
    value = popularity_shift(*both).value
    assert 0 <= value <= 1
    assert popularity_shift(*both[::-1]).value == pytest.approx(value, abs=1e-9)


@given(pairs(), st.randoms(use_true_random=False))
def test_neither_the_order_of_items_nor_the_length_of_a_log_counts(both, random):
    order = random.sample(range(len(both[0])), len(both[0]))
    reference, recent = both
    moved = popularity_shift(reference[order], 3 * recent[order]).value
    assert moved == pytest.approx(popularity_shift(reference, recent).value, abs=1e-7)


@given(COUNTS.filter(any).map(np.array))
def test_equal_logs_are_0_apart_and_disjoint_ones_1(counts):
    assert popularity_shift(counts, counts).value == 0
    nothing = np.zeros_like(counts)
    apart = popularity_shift(np.concatenate((counts, nothing)), np.concatenate((nothing, counts)))
    assert apart.value == pytest.approx(1)


@pytest.mark.parametrize("size", [30, 300, 3_000])
def test_a_sample_of_the_log_itself_shows_what_is_expected_and_no_more(size):
    reference = 1_000 // np.arange(1, 101)
    for seed in range(5):
        sample = np.random.default_rng(seed).multinomial(size, reference / reference.sum())
        shift = popularity_shift(reference, sample, seed=seed + 100)
        assert shift.value == pytest.approx(shift.expected, rel=0.2)
        assert shift.excess < 0.05


def test_fewer_events_are_expected_to_look_further_away():
    reference = np.full(50, 20)
    few, many = (popularity_shift(reference, np.full(50, size)).expected for size in (1, 100))
    assert few > 5 * many > 0


def test_a_change_is_more_than_chance():
    reference = 1_000 // np.arange(1, 101)
    shift = popularity_shift(reference, reference[::-1] // 10)
    assert shift.excess > 0.5
    assert shift.excess == shift.value - shift.expected
    assert Shift(0.1, 0.2).excess == 0


def test_the_same_seed_gives_the_same():
    one, again, other = (popularity_shift(np.array([3, 4, 5]), np.array([1, 0, 2]), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.expected != other.expected


def test_no_recent_events_have_not_shifted():
    assert popularity_shift(np.array([1, 2]), np.array([0, 0])) == Shift(0.0, 0.0)


@pytest.mark.parametrize(
    ("reference", "recent"), [([1, 2], [1]), ([[1, 2]], [[1, 2]]), ([0, 0], [1, 2]), ([1, -1], [1, 1]), ([], [])]
)
def test_counts_that_mean_nothing(reference, recent):
    with pytest.raises(ValueError, match="counts"):
        popularity_shift(np.array(reference, dtype=np.int64), np.array(recent, dtype=np.int64))


@pytest.mark.parametrize(
    ("known", "raw", "share"),
    [
        ([1, 2, 3], ["1", 2, "3", "4"], 0.25),
        (["a", "b"], ["a", "x", "x", "x"], 0.75),
        (["a"], [], 0.0),
        (["7"], [7], 0.0),
    ],
)
def test_unknown_ids_count_once_an_event(known, raw, share):
    assert unknown_share(IdMap.of(known), raw) == share


def test_scores_by_hand():
    """After 2 lie 2/3 of the first sample and nothing of the second."""
    assert score_shift(np.array([1.0, 2.0, 5.0]), np.array([3.0, 4.0, 6.0])) == pytest.approx(2 / 3)


@given(SCORES, SCORES)
def test_scores_are_compared_by_their_order_alone(reference, recent):
    value = score_shift(reference, recent)
    assert 0 <= value <= 1
    assert score_shift(recent, reference) == value
    assert score_shift(reference[::-1], recent) == value
    assert score_shift(reference, reference) == 0
    assert score_shift(recent, recent + 4e6) == 1


def test_the_distance_of_scores_is_that_of_scipy():
    rng = np.random.default_rng(0)
    reference, recent = rng.normal(size=300).round(1), rng.normal(0.3, 1.2, size=70).round(1)
    assert score_shift(reference, recent) == pytest.approx(ks_2samp(reference, recent, method="asymp").statistic)


def test_scores_that_cannot_be_compared():
    assert score_shift(np.array([]), np.array([1.0])) == score_shift(np.array([1.0]), np.array([])) == 0
    with pytest.raises(ValueError, match="NaN or infinity"):
        score_shift(np.array([1.0]), np.array([np.nan]))
