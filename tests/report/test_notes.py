"""Notes on a log; those on candidates are tested where candidates are."""

from recsys.data.interactions import Interactions
from recsys.report.notes import TORN, undated


def test_timestamps_that_are_places_in_a_history_are_told():
    places = Interactions.build([0, 0, 1, 2, 2], [0, 1, 0, 1, 0], [1, 2, 1, 1, 2], n_users=3, n_items=2)
    (left_last,) = undated(places, "leave_last")
    assert left_last.startswith("most users begin at the same timestamp")
    assert undated(places, "time") == (left_last + TORN,)
    times = Interactions.build([0, 0, 1, 2, 2], [0, 1, 0, 1, 0], [1, 2, 3, 4, 5], n_users=3, n_items=2)
    assert undated(times, "time") == ()
