"""From result files to bench/RESULTS.md."""

import json
import math
import statistics
from pathlib import Path

from bench.results import Figure, Result
from bench.rows.table import NAMES
from bench.sets import ROOT

RESULTS_MD = ROOT / "bench" / "RESULTS.md"
NOTES = ROOT / "bench" / "NOTES.md"
INTRODUCTION = """# Results of the bench

Written by `python -m bench report` from `bench/results/*.json`; how it is measured: [README.md](README.md).
Ratios are ours over the peer's, of medians; in brackets the smallest and the largest run. **Bold** misses its target.

| row | set | what | ours | peer | ratio | target | |
|---|---|---|---:|---:|---:|---|---|"""


def write(results: list[Result], notes: Path = NOTES, target: Path = RESULTS_MD) -> Path:
    """Render the results and the hand-written notes into a file."""
    text = render(results)
    if notes.is_file():
        text += "\n" + notes.read_text(encoding="utf-8")
    target.write_text(text, encoding="utf-8")
    return target


def render(results: list[Result]) -> str:
    """The table of all rows, then a section a result."""
    ordered = sorted(results, key=lambda result: (NAMES.index(result.row), result.set))
    lines = [INTRODUCTION]
    lines += [line(result, figure) for result in ordered for figure in result.figures]
    lines += [text for result in ordered for text in _section(result)]
    return "\n".join(lines) + "\n"


def line(result: Result, figure: Figure) -> str:
    """One line of the table."""
    verdict = {True: "met", False: "**missed**", None: ""}[figure.met]
    ratio = _number(figure.value) if figure.peer else ""
    if figure.met is False and ratio:
        ratio = f"**{ratio}**"
    what = figure.what + (f", {figure.unit}" if figure.unit else "")
    cells = (result.row, result.set, what, _runs(figure.ours), _runs(figure.peer), ratio, _target(figure), verdict)
    return "| " + " | ".join(cells) + " |"


def _section(result: Result) -> list[str]:
    facts = result.measured
    title = result.row + (f" on {result.set}" if result.set else "")
    versions = ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))
    return [
        "",
        f"## {title}",
        "",
        f"`{facts['command']}`, {facts['date']}, commit {facts['commit']}, {facts['threads']} threads, "
        f"{facts['runs']} runs. {facts['machine']}, {facts['cpus']} cores, {facts['memory_gib']} GiB, "
        f"Python {facts['python']}" + (f", {versions}." if versions else "."),
        "",
        *(f"- {figure.what}: {_raw(figure)}{figure.note and f' ({figure.note})'}" for figure in result.figures),
        *(f"- {key}: `{json.dumps(value)}`" for key, value in result.raw.items() if not _long(value)),
    ]


def _raw(figure: Figure) -> str:
    sides = [("ours", figure.ours), ("peer", figure.peer)]
    return "; ".join(f"{side} {', '.join(map(_number, runs))}" for side, runs in sides if runs)


def _runs(values: list[float]) -> str:
    """Median, and the range where there were several runs."""
    if not values:
        return ""
    low, high = min(values), max(values)
    middle = _number(statistics.median(values))
    return middle if low == high else f"{middle} ({_number(low)} – {_number(high)})"


def _target(figure: Figure) -> str:
    parts = [(sign, limit) for sign, limit in (("≥", figure.least), ("≤", figure.most)) if limit is not None]
    return " and ".join(f"{sign} {limit:g}" for sign, limit in parts)


def _number(value: float) -> str:
    """Four digits that count; infinity is what was never reached.

    >>> [_number(value) for value in (0.0123456, 3.14159, 12345.6, math.inf, math.nan)]
    ['0.01235', '3.142', '12,346', 'never', 'none']
    """
    if math.isinf(value):
        return "never"
    if math.isnan(value):
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _long(value: object) -> bool:
    """Curves and trials stay in the JSON."""
    return len(json.dumps(value)) > 500
