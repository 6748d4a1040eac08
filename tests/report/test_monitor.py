"""The report of a look at feedback, as a person reads it."""

import json

from recsys.report.monitor import drift_line, headline, page, version_rows, write_monitor
from recsys.stages.monitor import Day, Moved, Rate, Served, Watched

EMPTY = Watched(
    name="shop",
    model="recsys-shop",
    since="2026-03-01T00:00:00+00:00",
    until="2026-03-08T00:00:00+00:00",
    impressions=0,
    responses=0,
    versions=(),
    drift=None,
    daily=(),
)
RATE = Rate(impressions=2000, answered=100, value=0.05, lo=0.041, hi=0.06)
KNOWN = Served(
    version="3",
    impressions=2000,
    requests=200,
    users=150,
    click_through=RATE,
    by_position={"2–3": RATE},
    coverage=0.25,
    unknown_users=0.1,
    fallback=0.0,
)
STRANGE = KNOWN.model_copy(update={"version": "x", "coverage": None, "unknown_users": None, "fallback": None})
DRIFT = Moved(
    champion=3, responses=1200, popularity_shift=0.21, expected_shift=0.2, unknown_users=0.3, unknown_items=0.01
)
SEEN = EMPTY.model_copy(
    update={
        "impressions": 4000,
        "responses": 1200,
        "versions": (KNOWN, STRANGE),
        "drift": DRIFT,
        "daily": (Day(day="2026-03-01", impressions=4000, answered=200, responses=1200, users=160),),
    }
)


def test_what_a_version_showed_in_a_row():
    known, strange = version_rows(SEEN)
    assert known == ("3", "2,000", "200", "150", "5.00% (4.10%–6.00%)", "25.0%", "10.0%", "0.0%")
    assert strange[5:] == ("–", "–", "–")


def test_the_page_has_every_part():
    told = page(SEEN)
    assert "4,000 impressions and 1,200 responses from 2026-03-01T00:00:00+00:00 to 2026-03-08T00:00:00+00:00." in told
    assert "| 3 | – | 5.00% (4.10%–6.00%) | – |" in told
    assert "| 2026-03-01 | 4,000 | 200 | 1,200 | 160 |" in told
    assert drift_line(DRIFT) in told


def test_drift_beside_chance():
    assert drift_line(DRIFT) == (
        "1,200 responses against the log of champion v3: items have shifted by 0.210 (Jensen–Shannon; 0.200 by "
        "chance), 30.0% by unknown users, 1.0% on unknown items"
    )
    assert "no champion" in drift_line(None)


def test_nothing_seen_says_how_to_add_some():
    assert "recsys feedback add FILE" in headline(EMPTY)
    assert page(EMPTY) == f"# shop: feedback\n\n{headline(EMPTY)}.\n"


def test_the_files_are_those_of_the_last_look(tmp_path):
    for seen in (SEEN, EMPTY):
        numbers, text = write_monitor(seen, tmp_path / "monitor")
        assert Watched.model_validate(json.loads(numbers.read_text())) == seen
        assert text.read_text() == page(seen)
    assert {path.name for path in (tmp_path / "monitor").iterdir()} == {"monitor.json", "monitor.md"}
