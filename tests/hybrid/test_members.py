"""Standardised scores by hand, and members that are asked once."""

import numpy as np

from recsys.data.interactions import Interactions
from recsys.hybrid.members import Remembered, chosen, standard_scores, standardise


def test_unseen_items_have_mean_0_and_deviation_1():
    """Unseen 1, 3 and 5, 5: mean 3 and 5; deviation √(8/3) is 1.63, and 5 is constant. Seen items are only shifted."""
    scores = np.array([[1, 3, 5, 9], [2, 5, 5, 8]], np.float32)
    z = standardise(scores, Interactions.of_histories([[3], [0, 3]], 4))
    deviation = np.sqrt(8 / 3)
    np.testing.assert_allclose(z[0], np.array([-2, 0, 2, 6]) / deviation, rtol=1e-6)
    assert z[1].tolist() == [0, 0, 0, 0]
    assert z is scores


def test_a_repeated_event_counts_once():
    scores = np.array([[1, 3, 5, 9]], np.float32)
    once, thrice = (Interactions.of_histories([events], 4) for events in ([3], [3, 3, 3]))
    np.testing.assert_array_equal(standardise(scores.copy(), once), standardise(scores.copy(), thrice))


def test_a_large_offset_does_not_drown_small_differences():
    scores = np.array([[1000, 1001, 1002, 1003]], np.float32)
    z = standardise(scores, Interactions.of_histories([[]], 4))
    np.testing.assert_allclose(z[0], np.array([-1.5, -0.5, 0.5, 1.5]) / np.sqrt(1.25), rtol=1e-3)


def test_who_has_seen_everything_is_no_error():
    scores = np.array([[1, 2]], np.float32)
    assert np.isfinite(standardise(scores, Interactions.of_histories([[0, 1]], 2))).all()


def test_members_come_on_one_scale(planted):
    """The planted scores of b are fifty times its z-scores, plus fifty."""
    p = planted(lambda u: (1, 1, 1), users=5)
    np.testing.assert_allclose(standard_scores(p.members, p.holdout.history), p.z, atol=1e-4)


def test_members_are_chosen_by_position():
    assert chosen({"a": "A", "b": "B", "c": "C"}, np.array([0, 2])) == {"a": "A", "c": "C"}


def test_a_remembered_member_is_asked_once_a_batch(planted):
    p = planted(lambda u: (1, 1, 1), users=5)
    member, batch = p.members["a"], p.holdout.history
    remembered = Remembered(member)
    first = remembered.score(batch)
    kept = first.copy()
    first[:] = 0  # the caller may
    np.testing.assert_array_equal(remembered.score(batch), kept)
    assert member.asked == 1
    other = batch.select([3, 1])
    np.testing.assert_array_equal(remembered.score(other), kept[[3, 1]])
    assert member.asked == 2
