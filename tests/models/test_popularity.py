"""Time-decayed popularity by hand."""

import numpy as np

from recsys.data.interactions import Interactions
from recsys.models.popularity import Popularity, PopularityConfig


def counted(dataset_of, half_life, weight=None):
    """Item 0 at seconds 0 and 50, item 1 at second 100, item 2 never; scores of a history."""
    log = Interactions.build([0, 1, 1], [0, 0, 1], [0, 50, 100], weight, n_users=2, n_items=3)
    model = Popularity(PopularityConfig(half_life=half_life)).fit(dataset_of(log))
    return model.score(Interactions.of_histories([[], [2]], 3))


def test_half_life_is_a_share_of_the_span(dataset_of):
    """Half of 100 seconds: the events weigh 2^−2, 2^−1 and 2^0, so counts are 3/4, 1 and 0, 7/12 in the mean."""
    scores = counted(dataset_of, half_life=0.5)
    expected = np.log1p(np.array([3 / 4, 1, 0]) / (7 / 12))
    np.testing.assert_allclose(scores, [expected, expected], rtol=1e-6)


def test_without_half_life_events_are_counted(dataset_of):
    np.testing.assert_allclose(counted(dataset_of, half_life=0)[0], np.log1p([2, 1, 0]), rtol=1e-6)


def test_event_weights_count(dataset_of):
    """Weights 1, 2 and 6: counts 3, 6 and 0, 3 in the mean."""
    np.testing.assert_allclose(counted(dataset_of, 0, [1, 2, 6])[0], np.log1p([1, 2, 0]), rtol=1e-6)


def test_events_at_one_moment_have_no_age(dataset_of):
    log = Interactions.build([0, 1], [0, 1], [7, 7], n_users=2, n_items=2)
    assert Popularity().fit(dataset_of(log)).score(log)[0].tolist() == [np.float32(np.log(2))] * 2
