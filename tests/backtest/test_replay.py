"""Periods and visits by hand: who comes when, what they had met, what was new."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.backtest.replay import Period, in_order, periods, visits
from recsys.config import BacktestSection
from recsys.errors import InputError

DAY, MINUTE = 86_400, 60


def log(*events):
    return in_order(pd.DataFrame(events, columns=["user_id", "item_id", "timestamp"]))


class TestPeriods:
    def test_they_follow_each_other_from_the_share_on(self):
        found = periods(log(*((1, n, n * DAY) for n in range(20))), BacktestSection(start=0.5, period_days=4))
        assert [(one.number, one.begin // DAY, one.end // DAY) for one in found] == [
            (1, 10, 14),
            (2, 14, 18),
            (3, 18, 22),
        ]
        assert str(found[0]) == "1970-01-11 to 1970-01-14"

    def test_every_later_event_lies_in_exactly_one(self):
        events = log(*((1, n, n * DAY // 3) for n in range(100)))
        found = periods(events, BacktestSection(start=0.3, period_days=2.5))
        inside = pd.concat([one.of(events) for one in found])
        assert inside["item_id"].tolist() == list(range(30, 100))

    def test_places_in_a_history_are_no_times(self):
        with pytest.raises(InputError, match=r"spans 0\.0 days, 1 periods of 7 days.*not places in a history"):
            periods(log(*((1, n, n) for n in range(20))), BacktestSection())


class TestVisits:
    PERIOD = Period(1, 100 * MINUTE, 1000 * MINUTE)

    def test_a_pause_ends_a_visit_and_its_items_are_history_to_the_next(self):
        events = log(
            ("ann", "a", 0),
            ("ann", "b", 100 * MINUTE),
            ("ann", "c", 130 * MINUTE),
            ("ann", "d", 161 * MINUTE),
            ("bob", "a", 999 * MINUTE),
            ("bob", "b", 1000 * MINUTE),
            ("eve", "a", 50 * MINUTE),
        )
        found = visits(events, self.PERIOD, 30)
        assert found.users == ["ann", "ann", "bob"]
        assert found.histories == [["a"], ["a", "b", "c"], []]
        assert found.truths == [["b", "c"], ["d"], ["a"]]

    def test_what_was_met_before_is_not_asked_for(self):
        events = log(
            ("ann", "a", 0),
            ("ann", "a", 100 * MINUTE),
            ("ann", "b", 101 * MINUTE),
            ("bob", "a", 0),
            ("bob", "a", 200 * MINUTE),
        )
        found = visits(events, self.PERIOD, 30)
        assert (found.users, found.histories, found.truths) == (["ann"], [["a"]], [["b"]])

    def test_nobody_came(self):
        assert len(visits(log(("ann", "a", 0)), self.PERIOD, 30)) == 0

    @given(st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 500]))
    def test_each_first_meeting_of_a_period_is_wanted_once(self, seed, minutes):
        rng = np.random.default_rng(seed)
        columns = {"user_id": rng.integers(4, size=60), "item_id": rng.integers(9, size=60)}
        events = in_order(pd.DataFrame({**columns, "timestamp": rng.integers(2000 * MINUTE, size=60)}))
        found = visits(events, self.PERIOD, minutes)
        first = events.drop_duplicates(["user_id", "item_id"])
        wanted = sorted((user, item) for user, truth in zip(found.users, found.truths, strict=True) for item in truth)
        met = self.PERIOD.of(first)
        assert wanted == sorted(zip(met["user_id"], met["item_id"], strict=True))
        for user, history, truth in zip(found.users, found.histories, found.truths, strict=True):
            own = first.loc[first["user_id"] == user, "item_id"].tolist()
            assert own[: len(history)] == history
            assert own[len(history) : len(history) + len(truth)] == truth
