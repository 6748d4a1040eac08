"""What each version showed and what came of it, counted by hand; drift against the champion's log."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from recsys import registry, tracking
from recsys.config import load
from recsys.errors import InputError
from recsys.feedback.database import URL
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from recsys.metrics.intervals import wilson
from recsys.serving.bundle import Bundle
from recsys.stages.monitor import Rate, beginning, watch

NOON = 1_700_049_600
"""2023-11-15T12:00 UTC."""
DAY = 86_400


@pytest.fixture
def config(toy, monkeypatch):
    """Of the toy store, which is open: users 1 to 60, items 101 to 124, champion v2."""
    monkeypatch.delenv(URL, raising=False)
    config = load(toy / "toy.toml")
    tracking.open_store(config.store)
    return config


@pytest.fixture
def feedback(config):
    """Adds events to the feedback store: `shows` an answer of a version, `does` something about it."""
    number = 0

    def add(user, item, kind, time, **said):
        nonlocal number
        number += 1
        with open_store(config.store) as opened:
            opened.append([Event(f"e{number}", user, str(item), kind, time, **said)], "a test")

    def shows(request, user, items, version, time=NOON, first=1):
        for position, item in enumerate(items, first):
            said = {"request_id": request, "model_version": version, "position": position}
            add(user, item, "impression", time, **said)

    def does(user, item, kind="view", time=NOON, request=None):
        add(user, item, kind, time, request_id=request)

    return SimpleNamespace(shows=shows, does=does)


@pytest.fixture
def seen(config, feedback):
    """A look at a day on which three versions showed something, one of which nobody registered."""
    feedback.shows("r0", "1", [101], "2", time=NOON - DAY)
    feedback.shows("r1", "1", [113, 114, 115], "2")
    feedback.does("1", 113, time=NOON + 5, request="r1")
    feedback.does("1", 113, "purchase", time=NOON + 6, request="r1")
    feedback.shows("r2", "guest", [101, 102], "models:/recsys-toy/2")
    feedback.does("guest", 101, time=NOON + 10, request="r2")
    feedback.shows("r3", "guest", [103], "v2", time=NOON + 20)
    feedback.shows("r4", "2", [101], "1", first=5)
    feedback.does("2", 101, "purchase", time=NOON + DAY, request="r4")
    feedback.shows("r5", "2", [102], "experiment-b")
    feedback.shows("r6", "2", [102], None)
    feedback.does("guest", 999, time=NOON + DAY)
    return watch(config, NOON)


def test_versions_are_told_apart_however_events_write_them(seen):
    assert [one.version for one in seen.versions] == ["1", "2", "(none)", "experiment-b"]
    assert (seen.impressions, seen.responses) == (9, 5)
    assert seen.since == "2023-11-15T12:00:00+00:00"


def test_what_a_version_showed(seen):
    second = seen.versions[1]
    assert (second.impressions, second.requests, second.users) == (6, 3, 2)
    lo, hi = wilson(2, 6)
    assert second.click_through == Rate(impressions=6, answered=2, value=2 / 6, lo=lo, hi=hi)
    counts = {band: (rate.impressions, rate.answered) for band, rate in second.by_position.items()}
    assert counts == {"1": (3, 2), "2–3": (3, 0)}
    assert list(seen.versions[0].by_position) == ["4–10"]


def test_what_only_the_registry_knows(seen):
    first, second, *strangers = seen.versions
    assert second.coverage == 6 / 24
    # The guest asked twice, the second time after a response.
    assert (second.unknown_users, second.fallback) == (2 / 3, 1 / 3)
    assert (first.unknown_users, first.fallback) == (0, 0)
    assert {one.coverage for one in strangers} == {one.fallback for one in strangers} == {None}


def test_drift_of_what_was_taken_against_the_log_of_the_champion(seen, config):
    bundle = Bundle.load(registry.download(registry.versions("recsys-toy")[1]))
    learnt = np.append(np.bincount(bundle.data.interactions.item), 0)
    recent = np.zeros(25)
    recent[bundle.data.items.rows([113, 101])] = 2
    recent[24] = 1
    drift = seen.drift
    assert (drift.champion, drift.responses) == (2, 5)
    assert drift.popularity_shift == pytest.approx(jensenshannon(learnt, recent, base=2))
    assert 0 < drift.expected_shift < drift.popularity_shift
    assert (drift.unknown_users, drift.unknown_items) == (2 / 5, 1 / 5)


def test_events_that_no_model_learns_from_are_no_drift(seen, config):
    data = config.data.model_copy(update={"event_weights": {"purchase": 1.0, "look": 0.0}})
    assert watch(config.model_copy(update={"data": data}), NOON).drift.responses == 2


def test_days(seen):
    said = [(day.day, day.impressions, day.answered, day.responses, day.users) for day in seen.daily]
    assert said == [("2023-11-15", 9, 3, 3, 3), ("2023-11-16", 0, 0, 2, 0)]


def test_an_earlier_response_makes_a_guest_known(config, feedback):
    feedback.does("guest", 101, time=NOON - 30 * DAY)
    feedback.shows("r1", "guest", [101], "2")
    (one,) = watch(config, NOON).versions
    assert (one.unknown_users, one.fallback) == (1, 0)


def test_without_a_champion(config, feedback, new_store):
    feedback.does("1", 101)
    feedback.shows("r1", "1", [101], "2")
    new_store("empty")
    seen = watch(config, NOON)
    assert seen.drift is None
    assert (seen.versions[0].version, seen.versions[0].coverage) == ("2", None)


@pytest.mark.parametrize("made", [False, True])
def test_no_feedback_at_all(config, made):
    if made:
        open_store(config.store).close()
    seen = watch(config, NOON)
    assert seen.is_empty
    assert (seen.versions, seen.drift, seen.daily) == ((), None, ())


def test_where_to_begin():
    assert beginning("2023-11-15T13:00+01:00", 7) == beginning("1700049600", 7) == NOON
    assert beginning(None, 2) == pytest.approx(beginning(None, 0) - 2 * DAY, abs=5)


@pytest.mark.parametrize("since", ["yesterday", "1700000000000", "-1e12", "9999-12-31"])
def test_nothing_begins_where_nothing_can_have_been_shown(since):
    """Milliseconds, for one, are of a year that no calendar here has."""
    message = f"'{since}' is no moment from 1970 to now; allowed: seconds since 1970, or ISO 8601, such as"
    with pytest.raises(InputError, match=message):
        beginning(since, 7)
