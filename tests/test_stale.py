"""Versions that have to go, on a real store: who holds a user, and what is said of them."""

from recsys import registry, stale


def test_who_holds_a_user(registered):
    (one,) = registered(1)
    assert stale.holding("7") == [one]
    assert stale.holding("70") == stale.holding("") == []


def test_what_was_said_first_stays(registered):
    (one,) = registered(1)
    stale.mark(one, "a reason")
    (marked,) = registry.versions()
    assert marked.tags[stale.STALE] == "a reason"
    assert marked.tags[stale.SINCE] > "2020"
    stale.mark(marked, "another")
    assert registry.versions() == [marked]
