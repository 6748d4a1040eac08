"""Versions that have to go, on a real store: who holds a user, what is said of them, and what is never deleted."""

import pytest

from recsys import registry, stale, tracking


@pytest.fixture
def versions(store, toy_bundle, tmp_path):
    """Registers so many versions of a bundle of users 1 to 60, and gives all there are."""
    run = tracking.start("toy", "run")
    toy_bundle(tmp_path / "bundle")

    def make(count):
        for _ in range(count):
            registry.register(tmp_path / "bundle", "recsys-toy", run.id)
        return registry.versions()

    return make


def test_who_holds_a_user(versions):
    (one,) = versions(1)
    assert stale.holding("7") == [one]
    assert stale.holding("70") == stale.holding("") == []


def test_what_was_said_first_stays(versions):
    (one,) = versions(1)
    stale.mark(one, "a reason")
    (marked,) = registry.versions()
    assert marked.tags[stale.STALE] == "a reason"
    assert marked.tags[stale.SINCE] > "2020"
    stale.mark(marked, "another")
    assert registry.versions() == [marked]


def test_champion_and_previous_are_not_deleted_whatever_they_were_when_asked(versions):
    before = versions(3)
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 2, {}, against=1)
    bundles = [registry.download(one) for one in before]
    assert [stale.delete(one) for one in before] == [False, False, True]
    assert [bundle.exists() for bundle in bundles] == [True, True, False]
    assert [one.number for one in registry.versions()] == [1, 2]
