"""Bootstrap intervals against theory: width, coverage, pairing and strata."""

import numpy as np
import pytest
from scipy import stats

from recsys.metrics.intervals import Gain, bootstrap_mean, paired_bootstrap, symmetric_interval, wilson


def test_width_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(0.3, 0.1, 5000)
    lo, hi = bootstrap_mean(values, resamples=4000)
    error = values.std() / np.sqrt(len(values))
    assert lo == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert hi == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    intervals = [
        bootstrap_mean(generator.exponential(1.0, 200), confidence=0.9, resamples=300, seed=seed) for seed in range(400)
    ]
    share = np.mean([lo < 1.0 < hi for lo, hi in intervals])
    # Binomial: 0.9 with a standard deviation of 0.015.
    assert 0.85 < share < 0.95


def test_one_seed_one_interval():
    values = np.random.default_rng(0).random(50)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_pairing_cancels_what_makes_users_easy_or_hard():
    generator = np.random.default_rng(0)
    ease = generator.random(500)
    gain = paired_bootstrap(ease + generator.normal(0.01, 0.02, 500), ease)
    assert gain.lo < 0.01 < gain.hi
    assert gain.hi - gain.lo < 0.1 * np.subtract(*bootstrap_mean(ease)[::-1])


def test_the_same_values_have_no_gain():
    values = np.random.default_rng(0).random(100)
    assert paired_bootstrap(values, values.copy()) == Gain(0.0, 0.0, 0.0)


def test_strata_keep_their_sizes():
    strata = np.repeat([0, 1], [30, 10])
    values = np.where(strata == 0, 0.2, 0.6)
    # Within a stratum all users are alike, so every resample has the same mean.
    assert bootstrap_mean(values, strata=strata) == pytest.approx([(30 * 0.2 + 10 * 0.6) / 40] * 2)
    lo, hi = bootstrap_mean(values)
    assert hi - lo > 0.05


def test_more_users_than_fit_a_block():
    values = np.random.default_rng(0).random(1_100_000)
    lo, hi = bootstrap_mean(values, resamples=20)
    assert lo < values.mean() < hi


def test_wrong_calls_say_what_was_seen():
    with pytest.raises(ValueError, match="an interval needs users, and one label each; seen 0 values"):
        bootstrap_mean(np.array([]))
    with pytest.raises(ValueError, match="one label each; seen 3 values and 2 labels"):
        bootstrap_mean(np.ones(3), strata=np.zeros(2, int))
    with pytest.raises(ValueError, match="values hold NaN or infinity"):
        bootstrap_mean(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"the same users; seen \(3,\) and \(2,\)"):
        paired_bootstrap(np.ones(3), np.ones(2))


def sparse(generator, users):
    """ndcg@10 of two equal models on users of whom most find nothing; half of them get the same list from both."""

    def one():
        found = 1 / np.log2(2 + generator.integers(10, size=users))
        return np.where(generator.random(users) < 0.2, found, 0.0)

    first, second = one(), one()
    return first, np.where(generator.random(users) < 0.5, first, second)


@pytest.mark.parametrize("users", [20, 50, 100])
def test_equal_models_on_few_users_most_of_whom_find_nothing(users):
    """The lower bound of a 95% interval is above 0 in 2.5% of the cases at most, and so is the upper one below."""
    generator, trials = np.random.default_rng(1), 1500
    gains = [paired_bootstrap(*sparse(generator, users), resamples=500, seed=seed) for seed in range(trials)]
    most = 0.025 + 2 * np.sqrt(0.025 * 0.975 / trials)
    assert 0 < np.mean([gain.lo > 0 for gain in gains]) <= most
    assert 0 < np.mean([gain.hi < 0 for gain in gains]) <= most


def test_the_symmetric_interval_of_normal_values_is_students():
    values = np.random.default_rng(0).normal(0.1, 1.0, 12)
    gain = symmetric_interval(values, resamples=20_000)
    lo, hi = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (gain.mean, gain.lo, gain.hi) == pytest.approx((values.mean(), lo, hi), abs=0.03)
    assert gain.mean - gain.lo == pytest.approx(gain.hi - gain.mean)


def test_strata_take_away_what_they_explain():
    strata = np.repeat([0, 1], [30, 10])
    values = np.where(strata == 0, -0.2, 0.6)
    alone = symmetric_interval(values, strata=strata)
    assert alone.hi - alone.lo == pytest.approx(0, abs=1e-12)
    together = symmetric_interval(values)
    assert together.hi - together.lo > 0.2


def test_one_user_says_nothing_of_the_others():
    alone = np.array([0.3])
    assert symmetric_interval(alone) == Gain(0.3, -np.inf, np.inf)
    assert bootstrap_mean(alone) == (0, 1)
    assert bootstrap_mean(np.array([0.3, 0.4]))[0] >= 0.3


@pytest.mark.parametrize(
    ("strata", "merged"),
    [([0, 1, 2], [0, 0, 0]), ([0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 0]), ([2, 1, 1, 0, 0], [0, 1, 1, 0, 0])],
)
def test_whoever_is_alone_in_a_stratum_joins_the_largest(strata, merged):
    values = np.random.default_rng(0).random(len(strata))
    found = symmetric_interval(values, strata=np.array(strata))
    assert found.hi - found.lo > 0.1
    assert found == symmetric_interval(values, strata=np.array(merged))
    assert bootstrap_mean(values, strata=np.array(strata)) == bootstrap_mean(values, strata=np.array(merged))


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (3, 40), (200, 1_000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_of_a_share_is_that_of_scipy(hits, trials, confidence):
    expected = stats.binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    assert wilson(hits, trials, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_tried_says_nothing():
    assert wilson(0, 0) == (0, 1)
