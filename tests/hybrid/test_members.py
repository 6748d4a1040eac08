"""Standardised scores and places by hand, and members that are asked once."""

import numpy as np

from recsys.data.interactions import Interactions
from recsys.hybrid.members import Remembered, best_unseen, chosen, each_placed, standardise


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
    scores = [z for z, _, _ in each_placed(p.members, p.holdout.history, 1)]
    np.testing.assert_allclose(scores, p.z, atol=1e-4)


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


def placed(z, seen, size):
    """Items that have a place, by place."""
    (items,), (places,) = best_unseen(np.array([z], np.float32), Interactions.of_histories([seen], len(z)), size)
    return {int(place): int(item) for item, place in zip(items, places, strict=True) if place < size}


def test_places_are_those_of_unseen_items():
    assert placed([0.3, 0.9, 0.5, 0.1], [1], 2) == {0: 2, 1: 0}
    assert placed([0.3, 0.9, 0.5, 0.1], [1], 9) == {0: 2, 1: 0, 2: 3}


def test_who_ties_with_the_first_left_out_has_no_place():
    assert placed([2, 0, 1, 0, 0], [], 3) == {0: 0, 1: 2}
    everything = placed([2, 0, 1, 0, 0], [], 5)
    assert (everything[0], everything[1]) == (0, 2)
    assert {everything[2], everything[3], everything[4]} == {1, 3, 4}


def test_rounding_errors_do_not_change_places():
    """The same scores up to the last bits, as another batch size gives them."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 30, (20, 50)).astype(np.float32)  # few levels: ties everywhere
    noise = z + rng.uniform(-1e-6, 1e-6, z.shape).astype(np.float32)
    found = [placed(row, [], 10) for row in z]
    assert [placed(row, [], 10) for row in noise] == found
    assert min(map(len, found)) < 10, "a tie with the first left out"
    assert max(map(len, found)) == 10


def test_places_are_remembered_with_the_scores(planted):
    p = planted(lambda u: (1, 1, 1), users=5)
    member, batch = p.members["a"], p.holdout.history
    remembered = Remembered(member)
    for size in (3, 2, 3):
        z, *places = remembered.placed(batch, size)
        np.testing.assert_array_equal(z, standardise(member.score(batch), batch))
        np.testing.assert_array_equal(places, best_unseen(z, batch, size))
        z[:] = 0  # the caller may
    other = batch.select([3, 1])
    z, best, _ = remembered.placed(other, 3)
    np.testing.assert_array_equal(best, best_unseen(z, other, 3)[0])
    assert len(z) == 2


def test_scores_in_any_order_of_memory_are_standardised_alike():
    scores = np.array([[1, 3, 5, 9], [2, 5, 4, 8]], np.float32)
    history = Interactions.of_histories([[3], [0, 3]], 4)
    columns = standardise(np.asfortranarray(scores), history)
    np.testing.assert_array_equal(columns, standardise(scores.copy(), history))
