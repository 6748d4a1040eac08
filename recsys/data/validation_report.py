"""What validation found: a result for each rule, the report, and the error that carries it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd

from recsys.data.contract import Rule
from recsys.data.schema import COLUMNS, TIME
from recsys.errors import InputError

EXAMPLES: Final = 5
"""Offending rows shown for a rule."""
RULES_TOLD: Final = 8
"""Failed rules an error tells in full."""
VALUE_LENGTH: Final = 40
"""Characters shown of a value."""
MISSING: Final = "missing"
"""What was observed of a column that is not there."""
NOT_ASKED: Final = "not asked"
"""What was observed by a rule that could not be computed."""


@dataclass(frozen=True)
class RuleResult:
    """One rule of the contract and what the data did to it."""

    rule: str
    column: str | None
    passed: bool
    severity: str
    """critical: a failure stops the run. warning, info: it is only told."""
    checked: int
    """Rows looked at."""
    bad: int
    """Rows that break the rule; 0 where a rule is not about rows."""
    observed: str
    message: str
    """What was seen and what to do next; empty when the rule holds."""
    examples: list[dict[str, Any]]
    """At most five offending rows; `row` counts from 1, the header not counted."""
    scope: str = "table"
    """row: bad rows can be set aside. table: the batch as a whole is judged."""

    @property
    def blocks(self) -> bool:
        """Whether this result stops a run."""
        return not self.passed and self.severity == "critical"


@dataclass(frozen=True)
class ValidationReport:
    """The verdict on a batch of events, with the evidence."""

    passed: bool
    rows: int
    accepted: int
    quarantined: int
    rules: tuple[RuleResult, ...]
    docs: str
    """Path of the index page of the Data Docs."""
    page: str
    """Path of the page that reads offline."""
    quarantine_file: str | None
    """Parquet file of the rows set aside, each with its `row` and `reason`."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able form."""
        return asdict(self) | {"rules": [asdict(rule) for rule in self.rules]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ValidationReport":
        """Take back what `to_dict` gave, also after a trip through JSON."""
        return cls(**{**plain, "rules": tuple(RuleResult(**rule) for rule in plain["rules"])})

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """Rules that do not hold, critical ones first."""
        return tuple(sorted((rule for rule in self.rules if not rule.passed), key=lambda rule: not rule.blocks))

    def summary_markdown(self) -> str:
        """The report as Markdown: a line of verdict and a table of rules."""
        verdict = "passed" if self.passed else "failed"
        lines = [
            f"**Validation {verdict}**: {self.rows:,} rows, {self.accepted:,} accepted, "
            f"{self.quarantined:,} set aside, {self.seconds:.1f} s",
            "",
            "| | rule | severity | observed | bad rows |",
            "|---|---|---|---|---:|",
        ]
        lines += [
            f"| {'✓' if rule.passed else '✗'} | {rule.rule} | {rule.severity} | {rule.observed} | {rule.bad:,} |"
            for rule in self.rules
        ]
        return "\n".join(lines)


class ContractError(InputError):
    """The events break the data contract; `report` holds every finding."""

    def __init__(self, text: str, report: ValidationReport) -> None:
        super().__init__(text, report)
        self.report = report

    def __str__(self) -> str:
        return str(self.args[0])


def explain(name: str, headline: str, report: ValidationReport, next_step: str) -> str:
    """Text of a `ContractError`: each failed rule, its count, up to five rows, and what to do next.

    A rule that could not be asked because its column is missing is left to the rule that says so.
    """
    told = [rule for rule in report.failed if rule.blocks and not _follows(rule, report)]
    lines = [f"{name}: {headline}"]
    for rule in told[:RULES_TOLD]:
        lines.append(f"  ✗ {rule.rule}: {rule.message}")
        lines += [f"      {row_text(example)}" for example in rule.examples[:EXAMPLES]]
    if len(told) > RULES_TOLD:
        lines.append(f"  … and {len(told) - RULES_TOLD} more rules; the report tells them all")
    if unasked := sum(rule.blocks and _follows(rule, report) for rule in report.failed):
        lines.append(f"  … and {unasked} about missing columns that were not asked")
    if any(rule.examples for rule in told):
        lines.append("  (rows count from 1, the header not counted)")
    return "\n".join([*lines, f"What to do: {next_step}", f"Report: {report.page}"])


def examples(events: pd.DataFrame, positions: list[int], column: str | None) -> list[dict[str, Any]]:
    """These rows as plain values: the columns of the schema and the one a rule is about."""
    shown = [name for name in dict.fromkeys((*COLUMNS, column)) if name is not None and name in events]
    rows = events.loc[positions, shown]
    return [
        {"row": position + 1, **{name: plain(value) for name, value in zip(shown, cells, strict=True)}}
        for position, cells in zip(positions, rows.itertuples(index=False), strict=True)
    ]


def row_text(example: Mapping[str, Any]) -> str:
    """One offending row as text.

    >>> row_text({"row": 3, "user_id": "u1", "timestamp": 4102444800})
    "row 3: user_id='u1' timestamp=4102444800 (2100-01-01 00:00 UTC)"
    """
    cells = " ".join(f"{name}={cell_text(name, value)}" for name, value in example.items() if name != "row")
    return f"row {example['row']:,}: {cells}"


def cell_text(name: str, value: Any) -> str:
    """A cell for people: blanks visible, times with their date."""
    if name == TIME and isinstance(value, int | float) and 0 < value < 253_402_300_800:
        return f"{value:.0f} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M} UTC)"
    return "null" if value is None else repr(value)


def plain(value: Any) -> bool | int | float | str | None:
    """A cell as JSON holds it; null of any kind is None, long text is cut."""
    if isinstance(value, str):
        return value if len(value) <= VALUE_LENGTH else value[: VALUE_LENGTH - 1] + "…"
    value = value.item() if hasattr(value, "item") else value
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value if isinstance(value, bool | int | float) else plain(str(value))


def rule_result(rule: Rule, outcome: Any, events: pd.DataFrame) -> RuleResult:
    """What Great Expectations found about a rule, in our words.

    A crash inside a metric does not raise there: the result is empty, the reason stands in `exception_info`.
    """
    found, column = outcome.result, rule["kwargs"].get("column")
    details = found.get("details", {})
    checked = found.get("element_count", details.get("rows", len(events)))
    bad = found.get("unexpected_count", details.get("bad", 0))
    about_rows, allowed = "unexpected_count" in found, _bounds(rule["kwargs"])
    if about_rows:
        observed = f"{bad:,} of {checked:,} rows" if bad else f"none of {checked:,} rows"
        message = f"{observed} break it" + (f" (allowed: {allowed})" if allowed else "")
    elif found or outcome.success:
        value = _shown(found.get("observed_value", "present"), rule["kwargs"])
        observed, message = f"{value} ({allowed})" if allowed else value, f"seen {value}, allowed: {allowed}"
    elif column in (None, *events.columns):
        observed, message = NOT_ASKED, f"it could not be computed: {_crash(outcome.exception_info)}"
    else:
        observed = MISSING if rule["type"] == "expect_column_to_exist" else NOT_ASKED
        message = f"there is no column {column!r}; there are: {', '.join(events.columns) or 'none'}"
    advice = rule["meta"].get("advice")
    positions = found.get("partial_unexpected_index_list", details.get("first", []))
    return RuleResult(
        rule=rule["description"],
        column=column,
        passed=bool(outcome.success),
        severity=rule["severity"],
        checked=checked,
        bad=bad,
        observed=observed,
        message="" if outcome.success else "; ".join(filter(None, (message, advice))),
        examples=examples(events, positions[:EXAMPLES], column),
        scope="row" if about_rows else "table",
    )


def _bounds(kwargs: Mapping[str, Any]) -> str:
    """What the arguments of an expectation allow, as text; empty where they set no bound.

    >>> _bounds({"column": "rating", "min_value": 1, "max_value": 5}), _bounds({"max_fraction": 0.5})
    ('at least 1, at most 5', 'at most 50.0%')
    """
    limits = {"at least": kwargs.get("min_value"), "at most": kwargs.get("max_value", kwargs.get("max_fraction"))}
    return ", ".join(f"{word} {_shown(limit, kwargs)}" for word, limit in limits.items() if limit is not None)


def _shown(value: Any, kwargs: Mapping[str, Any]) -> str:
    """A value observed or allowed, as text: a share as per cent, a time with its date."""
    if not isinstance(value, int | float):
        return str(value)
    if kwargs.get("column") == TIME:
        return cell_text(TIME, value)
    return f"{value:.1%}" if "max_fraction" in kwargs else f"{value:,}"


def _crash(info: Mapping[str, Any]) -> str:
    """First line of the message in `exception_info`, which is flat or keyed by metric."""
    parts = [info] if "exception_message" in info else list(info.values())
    messages = [str(part["exception_message"]) for part in parts if part["exception_message"]]
    return messages[0].splitlines()[0] if messages else "Great Expectations gave no reason"


def _follows(rule: RuleResult, report: ValidationReport) -> bool:
    missing = {other.column for other in report.failed if other.observed == MISSING}
    return rule.column in missing and rule.observed == NOT_ASKED
