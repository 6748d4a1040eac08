"""The validation report as one self-contained HTML page: no script, no network, light and dark."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.schema import TIME, USER, FloatArray, IntArray
from recsys.data.validation_report import RuleResult, ValidationReport, cell_text

PERIODS = 48
"""Bars of the chart of events over time."""


def render(
    report: ValidationReport, view: pd.DataFrame, name: str, generated: datetime, problem: str | None = None
) -> str:
    """The page.

    Args:
        report: what was found.
        view: the events as judged: user_id categorical, timestamp float64 seconds; either may be missing.
        name: of the data set.
        generated: when, with a time zone.
        problem: why the batch was refused; none when it was accepted.
    """
    state = "good" if report.passed else "bad"
    verdict = "Accepted" if report.passed else "Refused"
    told = problem or (
        f"{report.quarantined:,} rows that break a rule were set aside; the others hold the contract."
        if report.quarantined
        else "Every critical rule of the data contract holds."
    )
    told = told[0].upper() + told[1:]
    rules = "".join(_rule(rule, report) for rule in (*report.failed, *(r for r in report.rules if r.passed)))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{verdict}: {escape(name)} · data validation</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="eyebrow">Data validation</p>
<h1>{escape(name)}</h1>
<p class="verdict {state}"><span>{"✓" if report.passed else "✗"} {verdict}</span> {escape(told)}</p>
</header>
<main>
<section class="tiles">{_tiles(report)}</section>
<section class="charts">{_over_time(view)}{_per_user(view)}</section>
<section>
<h2>Rules</h2>
<table class="rules">
<thead><tr><th></th><th>Rule</th><th>Severity</th><th>Observed</th><th class="number">Bad rows</th></tr></thead>
{rules}
</table>
</section>
</main>
<footer>{_links(report)}<span>Generated {generated.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC</span></footer>
</body>
</html>
"""


def _tiles(report: ValidationReport) -> str:
    held = sum(rule.passed for rule in report.rules)
    tiles = (
        ("Rows", f"{report.rows:,}"),
        ("Accepted", f"{report.accepted:,}"),
        ("Set aside", f"{report.quarantined:,}"),
        ("Rules that hold", f"{held} of {len(report.rules)}"),
        ("Time", f"{report.seconds:.1f} s"),
    )
    return "".join(f"<div><b>{value}</b><span>{label}</span></div>" for label, value in tiles)


def _rule(rule: RuleResult, report: ValidationReport) -> str:
    # A critical rule that failed in a batch that was accepted has had its rows set aside.
    aside = " · set aside" if rule.blocks and report.passed else ""
    mark, state = ("✓", "good") if rule.passed else ("!", "warn") if aside or not rule.blocks else ("✗", "bad")
    row = (
        f'<tr><td class="mark {state}">{mark}</td><td>{escape(rule.rule)}</td>'
        f"<td>{rule.severity}</td><td>{escape(rule.observed)}{aside}</td>"
        f'<td class="number">{f"{rule.bad:,}" if rule.bad else "–"}</td></tr>'
    )
    if rule.passed:
        return f"<tbody>{row}</tbody>"
    detail = f"<p>{escape(rule.message)}</p>{_examples(rule)}"
    return f'<tbody class="{state}">{row}<tr class="detail"><td></td><td colspan="4">{detail}</td></tr></tbody>'


def _examples(rule: RuleResult) -> str:
    if not rule.examples:
        return ""
    names = list(rule.examples[0])
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(
        "<tr>" + "".join(_cell(name, example[name], rule.column) for name in names) + "</tr>"
        for example in rule.examples
    )
    return f'<div class="scroll"><table class="examples"><tr>{head}</tr>{rows}</table></div>'


def _cell(name: str, value: object, culprit: str | None) -> str:
    mark = ' class="culprit"' if name == culprit else ""
    return f"<td{mark}><code>{escape(cell_text(name, value))}</code></td>"


def _over_time(view: pd.DataFrame) -> str:
    """Events over time; times before 1970 and of the future would leave one bar and a desert."""
    times = view[TIME].to_numpy(np.float64) if TIME in view else np.empty(0)
    times = times[(times > 0) & (times < datetime.now(UTC).timestamp())]
    if len(times) == 0:
        return ""
    counts, edges = np.histogram(times, PERIODS)
    dates = [f"{datetime.fromtimestamp(edge, UTC):%Y-%m-%d}" for edge in edges]
    hints = [f"{start} to {end}" for start, end in pairwise(dates)]
    return _chart("Events over time", counts, hints, [dates[0], dates[PERIODS // 2], dates[-1]])


def _per_user(view: pd.DataFrame) -> str:
    """Users by how many events they have, in bins that double."""
    codes = view[USER].cat.codes.to_numpy() if USER in view else np.empty(0, np.int8)
    if (codes < 0).all():
        return ""
    events = np.bincount(codes[codes >= 0])
    counts = np.bincount(np.log2(events[events > 0]).astype(int))
    lows = [2**power for power in range(len(counts))]
    hints = [f"{low:,} to {2 * low - 1:,} events" if low > 1 else "1 event" for low in lows]
    return _chart("Users by number of events", counts, hints, [_short(low) for low in lows])


def _short(power_of_two: int) -> str:
    for unit, size in (("M", 2**20), ("k", 2**10)):
        if power_of_two >= size:
            return f"{power_of_two // size}{unit}"
    return str(power_of_two)


def _chart(title: str, counts: IntArray, hints: Sequence[str], labels: Sequence[str]) -> str:
    heights: FloatArray = counts / counts.max() * 100
    bars = "".join(
        f'<i style="height:{height:.1f}%" title="{hint}: {count:,}"></i>'
        for height, hint, count in zip(heights, hints, counts, strict=True)
    )
    axis = "".join(f"<span>{label}</span>" for label in labels)
    spread = "each" if len(labels) == len(counts) else "ends"
    return (
        f"<figure><figcaption>{title}<small>highest bar {counts.max():,}</small></figcaption>"
        f'<div class="bars">{bars}</div><div class="axis {spread}">{axis}</div></figure>'
    )


def _links(report: ValidationReport) -> str:
    folder = Path(report.page).parent
    places = {"Data Docs (need the network for their look)": report.docs, "Rows set aside": report.quarantine_file}
    return "".join(
        f'<a href="{escape(Path(place).relative_to(folder).as_posix())}">{label}</a>'
        for label, place in places.items()
        if place is not None
    )


STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6675; --page: #f5f6f8; --card: #fff; --line: #e1e5ea;
  --accent: #3f6fd8; --good: #1a7f4b; --bad: #c0322b; --warn: #96660a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #98a2b1; --page: #12161c; --card: #1a2028;
  --line: #2c343f; --accent: #7aa2f7; --good: #57c98c; --bad: #ff7b72; --warn: #e0b050; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .5rem; font-size: 1.1rem; }
.eyebrow { margin: 0; color: var(--soft); font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; }
.verdict { margin: .9rem 0 0; }
.verdict span { margin-right: .5rem; padding: .2rem .7rem; border-radius: 1rem; color: var(--card);
  font-weight: 600; white-space: nowrap; }
.verdict.good span { background: var(--good); }
.verdict.bad span { background: var(--bad); }
main > section { margin-top: 1.25rem; overflow-x: auto; }
main > section:last-child, .tiles div, figure { padding: 1rem 1.15rem; border: 1px solid var(--line);
  border-radius: .6rem; background: var(--card); }
.tiles, .charts { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.charts { grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.tiles b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.tiles span, small, footer, figcaption small { color: var(--soft); font-size: .82rem; }
figure { margin: 0; }
figcaption { display: flex; justify-content: space-between; margin-bottom: .7rem; font-weight: 600; }
figcaption small { font-weight: 400; }
.bars { display: flex; align-items: flex-end; gap: 2px; height: 7.5rem; border-bottom: 1px solid var(--line); }
.bars i { flex: 1; min-height: 1px; border-radius: 2px 2px 0 0; background: var(--accent); }
.axis { display: flex; justify-content: space-between; gap: 2px; margin-top: .3rem; color: var(--soft);
  font-size: .75rem; }
.axis.each span { flex: 1; text-align: center; }
table { width: 100%; border-collapse: collapse; }
th { color: var(--soft); font-size: .78rem; font-weight: 500; text-align: left; }
th, td { padding: .4rem .6rem; vertical-align: top; }
.rules > tbody > tr:first-child > td { border-top: 1px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.mark { width: 2rem; font-weight: 700; }
.mark.good { color: var(--good); }
.mark.bad { color: var(--bad); }
.mark.warn { color: var(--warn); }
tbody.bad { background: color-mix(in srgb, var(--bad) 6%, transparent); }
tbody.warn { background: color-mix(in srgb, var(--warn) 7%, transparent); }
tbody.bad > tr:first-child > td:nth-child(2), tbody.warn > tr:first-child > td:nth-child(2) { font-weight: 600; }
.detail > td { padding-top: 0; padding-bottom: .8rem; }
.detail p { margin: 0 0 .5rem; }
.scroll { overflow-x: auto; }
.examples { width: auto; font-size: .84rem; }
.examples th, .examples td { padding: .15rem .9rem .15rem 0; white-space: nowrap; }
.examples code { font: .95em ui-monospace, monospace; white-space: pre; }
.culprit { color: var(--bad); }
footer { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; margin-top: 1.25rem; }
footer span { margin-left: auto; }
a { color: var(--accent); }
"""
