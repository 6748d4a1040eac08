"""The report of a backtest: what the loop was worth beside never and always retraining, as tables and a picture."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys.backtest.outcome import POLICIES, Outcome
from recsys.backtest.summary import OTHERS, Estimate, PeriodSummary, Stretch, Summary
from recsys.data.atomic import new_file
from recsys.promotion import METRIC
from recsys.report.figures import INK, PALE, panels, png
from recsys.report.markdown import NOTHING, table
from recsys.report.wording import duration, mark, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUMMARY, PAGE, PICTURE = "backtest.json", "backtest.md", "backtest.png"
COLOURS = {"frozen": "#7f7f7f", "overwrite": "#0072b2", "loop": "#d55e00"}
LABELS = {"frozen": "frozen at the start", "overwrite": "always overwrite", "loop": "the loop"}


def write_backtest(summary: Summary, folder: Path) -> list[Path]:
    """Write the report in place of an earlier one; each file is whole or the old one."""
    content = {
        SUMMARY: summary.model_dump_json(indent=1).encode(),
        PAGE: page(summary).encode(),
        PICTURE: png(picture(summary)),
    }
    for name, data in content.items():
        with new_file(folder / name) as draft:
            draft.write_bytes(data)
    return [folder / name for name in content]


def page(summary: Summary) -> str:
    """All of backtest.md."""
    parts = [
        f"# {summary.name}: what the loop is worth",
        verdict(summary),
        totals_table(summary),
        f"![{METRIC} by period]({PICTURE})",
        "## Period by period",
        periods_table(summary),
        "## Why",
        "\n".join(_reasons(summary)),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(summary: Summary) -> str:
    """The outcome in sentences."""
    against = "; ".join(f"{_estimate(summary.whole.gain[other], signed)} against {LABELS[other]}" for other in OTHERS)
    cost = summary.train_seconds
    return (
        f"Over all periods the loop gained {METRIC} {against}. After {len(summary.periods)} periods it had retrained "
        f"{summary.retrained} times, promoted {summary.promoted} and refused {summary.refused}; training took it "
        f"{duration(cost['loop'])}, always overwriting {duration(cost['overwrite'])}."
    )


def totals_table(summary: Summary) -> str:
    """Policies by stretch, and what the loop gained over each of the others."""
    header = ("", *(LABELS[policy] for policy in POLICIES), *(f"loop − {other}" for other in OTHERS), "users")
    stretches = (("all periods", summary.whole), ("second half", summary.late))
    return table(header, [_totals(name, stretch) for name, stretch in stretches], left=(0,))


def periods_table(summary: Summary) -> str:
    """A row a period: what each policy was worth, and what the loop decided at its end."""
    header = ("period", "from", "visits", "users", *(LABELS[policy] for policy in POLICIES), "served", "then")
    return table(header, [_row(one) for one in summary.periods], left=(1, 7, 8))


def picture(summary: Summary) -> "Figure":
    """ndcg@10 by period, and the loop's gain over both others so far."""
    figure, (left, right) = panels(2, width=12, height=4.6)
    shown = [one for one in summary.periods if one.ndcg]
    numbers = [one.outcome.number for one in shown]
    for policy in POLICIES:
        means = [one.ndcg[policy].mean for one in shown]
        left.plot(numbers, means, color=COLOURS[policy], linewidth=2, label=LABELS[policy])
    loop = [one.ndcg["loop"] for one in shown]
    lo, hi = (np.array(bound, float) for bound in ([one.lo for one in loop], [one.hi for one in loop]))
    left.fill_between(numbers, lo, hi, color=COLOURS["loop"], alpha=0.12, linewidth=0)
    _decisions(left, shown)
    left.set_title(f"{METRIC} by period, 95% interval of the loop", loc="left", weight="bold")
    users = np.array([one.users for one in shown])
    for other in OTHERS:
        gain = np.array([one.ndcg["loop"].mean - one.ndcg[other].mean for one in shown])
        so_far = np.cumsum(gain * users) / np.cumsum(users)
        right.plot(numbers, so_far, color=COLOURS[other], linewidth=2, label=f"over {LABELS[other]}")
    right.axhline(0, color=INK, linewidth=0.8)
    right.set_title(f"gain of the loop in {METRIC}, mean so far", loc="left", weight="bold")
    for axes in (left, right):
        axes.grid(axis="y", color=PALE)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("period")
        axes.legend(frameon=False, fontsize=9)
    return figure


def decided(outcome: Outcome) -> str:
    """What the loop did at the end of a period, in words."""
    if not outcome.decision.retrain:
        return "nothing to do"
    return "promoted" if outcome.promoted else "refused"


def _decisions(axes: "Axes", shown: list[PeriodSummary]) -> None:
    """What the loop did at the end of each period, along the bottom."""
    floor = axes.get_ylim()[0]
    for label, marker, face in (("promoted", "^", COLOURS["loop"]), ("refused", "o", "white")):
        at = [one.outcome.number for one in shown if decided(one.outcome) == label]
        if at:
            axes.scatter(
                at, [floor] * len(at), marker=marker, color=face, edgecolors=COLOURS["loop"], label=label, zorder=3
            )


def _totals(name: str, stretch: Stretch) -> tuple[str, ...]:
    worth = (_estimate(stretch.ndcg[policy]) for policy in POLICIES)
    gains = (_estimate(stretch.gain[other], signed) for other in OTHERS)
    return (name, *worth, *gains, f"{stretch.users:,}")


def _row(one: PeriodSummary) -> tuple[str, ...]:
    outcome = one.outcome
    worth = (_estimate(one.ndcg[policy]) if one.ndcg else NOTHING for policy in POLICIES)
    date = f"{datetime.fromtimestamp(outcome.begin, UTC):%Y-%m-%d}"
    return (
        str(outcome.number),
        date,
        str(one.visits),
        str(one.users),
        *worth,
        outcome.served["loop"],
        decided(outcome),
    )


def _reasons(summary: Summary) -> Iterator[str]:
    for one in summary.periods:
        decision = one.outcome.decision
        yield f"- **{one.outcome.number}**, {decided(one.outcome)}: {'; '.join(decision.reasons)}"
        yield from (f"  - {mark(reason)} {reason}" for reason in one.outcome.verdict)


def _plain(value: float) -> str:
    return f"{value:.4f}"


def _estimate(found: Estimate, form: Callable[[float], str] = _plain) -> str:
    if found.lo is None or found.hi is None:
        return f"{form(found.mean)} (one user, no interval)"
    return f"{form(found.mean)} [{form(found.lo)}, {form(found.hi)}]"
