"""The validation page: self-contained, escaped, verdict first, evidence beside every failed rule."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pandas as pd
import pytest

from recsys.data.validation_page import render
from recsys.data.validation_report import RuleResult, ValidationReport

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
HELD = RuleResult("there are enough events", None, True, "critical", 3, 0, "3 (at least 1)", "", [])
BROKEN = RuleResult(
    rule="user_id is well formed",
    column="user_id",
    passed=False,
    severity="critical",
    checked=3,
    bad=1,
    observed="1 of 3 rows",
    message="1 of 3 rows break it; tidy it",
    examples=[{"row": 2, "user_id": " <b>", "timestamp": None}],
    scope="row",
)
REPORT = ValidationReport(
    passed=False,
    rows=3,
    accepted=0,
    quarantined=0,
    rules=(HELD, BROKEN),
    docs="out/data_docs/index.html",
    page="out/validation.html",
    quarantine_file=None,
    seconds=1.25,
)


@pytest.fixture
def view() -> pd.DataFrame:
    """User a has three events, b one, and one event has neither user nor time."""
    users = pd.Series(["a", "a", "b", "a", None]).astype("category")
    return pd.DataFrame({"user_id": users, "timestamp": [86_400.0, 172_800.0, 259_200.0, 4e12, float("nan")]})


def test_the_page_needs_nothing_but_itself(view):
    page = render(REPORT, view, "toy", NOW)
    assert "<script" not in page
    assert not re.search(r"""(src|@import|url\(|https?://|<link)""", page)
    assert re.findall(r'href="([^"]*)"', page) == ["data_docs/index.html"]
    assert "prefers-color-scheme: dark" in page


def test_the_verdict_comes_first_and_says_why(view):
    refused = render(REPORT, view, "toy", NOW, "one rule fails")
    assert "✗ Refused</span> One rule fails" in refused
    accepted = render(replace(REPORT, passed=True, accepted=3, rules=(HELD,)), view, "toy", NOW)
    assert "✓ Accepted</span> Every critical rule of the data contract holds." in accepted
    assert "Generated 2024-05-06 07:08:09 UTC" in accepted


def test_failed_rules_stand_first_with_their_rows(view):
    page = render(REPORT, view, "toy", NOW)
    assert page.index("user_id is well formed") < page.index("there are enough events")
    assert "1 of 3 rows break it; tidy it" in page
    assert '<td class="culprit"><code>&#x27; &lt;b&gt;&#x27;</code></td>' in page
    assert "<td><code>null</code></td>" in page


def test_rows_set_aside_are_linked_and_do_not_look_like_a_refusal(view):
    aside = replace(REPORT, passed=True, accepted=2, quarantined=1, quarantine_file="out/quarantine.parquet")
    page = render(aside, view, "toy", NOW)
    assert "1 of 3 rows · set aside" in page
    assert '<a href="quarantine.parquet">Rows set aside</a>' in page
    assert "✗" not in page


def test_charts_count_events_and_users(view):
    page = render(REPORT, view, "toy", NOW)
    # The time in the far future is left out, so the axis ends with the third event.
    assert "<span>1970-01-02</span>" in page
    assert "<span>1970-01-04</span>" in page
    assert sum(int(count) for count in re.findall(r"\d{4}-\d\d-\d\d: (\d+)", page)) == 3
    assert "1 event: 1" in page
    assert "2 to 3 events: 1" in page


@pytest.mark.parametrize("columns", [[], ["user_id"], ["timestamp"]])
def test_a_missing_column_leaves_its_chart_out(view, columns):
    page = render(REPORT, view[columns], "toy", NOW)
    assert page.count("<figure>") == len(columns)


def test_no_events_no_charts(view):
    assert "<figure>" not in render(REPORT, view.iloc[:0], "toy", NOW)


def test_names_are_escaped_and_tags_balance(view):
    page = render(REPORT, view, "<i>toy</i>", NOW, "a < b")
    assert "&lt;i&gt;toy&lt;/i&gt;" in page
    assert "A &lt; b" in page

    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page)
    assert parser.open == []
