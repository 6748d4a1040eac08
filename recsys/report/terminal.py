"""The scorecard on the terminal: leaderboard, weights, verdict, and what to type next."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from recsys.promotion import METRIC
from recsys.report.scorecard import Scorecard
from recsys.report.wording import (
    choice_line,
    data_line,
    dataset_line,
    duration,
    headline,
    interval,
    mark,
    search_line,
    signed,
)

BAR = 30
"""Columns that a weight of 1 takes."""

COLOURS = {"✓": "green", "✗": "red", "•": "yellow"}


def print_leaderboard(card: Scorecard, console: Console, *, next_steps: Sequence[tuple[str, str]] = ()) -> None:
    """Print what a person wants to see at the end of a run.

    Args:
        card: of the run.
        console: made for 100 columns; narrower ones fold.
        next_steps: (what for, command); printed last, each command on a line of its own, never broken.
    """
    console.print(Text(dataset_line(card), style="dim"))
    console.print(_leaderboard(card))
    for line in (data_line(card), search_line(card)):
        console.print(Padding(Text(line, style="dim"), (0, 1)))
    _section(console, f"Hybrid weights: {card.hybrid.chosen}")
    console.print(Text(f"  {choice_line(card.hybrid)}", style="dim"))
    console.print(_weights(card))
    _section(console, headline(card.promotion), "green" if card.promotion.promoted else "yellow")
    console.print(_list((mark(reason), COLOURS[mark(reason)], reason) for reason in card.promotion.reasons))
    if card.notes:
        _section(console, "Notes")
        console.print(_list(("•", "yellow", note) for note in card.notes))
    if next_steps:
        _section(console, "Next")
    for purpose, command in next_steps:
        console.print(Text(f"  {purpose}", style="dim"))
        # soft_wrap: a command that is copied must not hold a line break.
        console.print(Text(f"    {command}", style="cyan"), soft_wrap=True)


def _leaderboard(card: Scorecard) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("", justify="right", style="dim")
    table.add_column("model", no_wrap=True)
    table.add_column("kind", style="dim", no_wrap=True)
    for heading in (METRIC, "95% interval", "recall@10", "coverage@10", "trials", "search", "fit"):
        table.add_column(heading, justify="right", no_wrap=True)
    for place, (name, model) in enumerate(card.ranked(), start=1):
        is_chosen = name == card.hybrid.chosen
        table.add_row(
            "►" if is_chosen else str(place),
            name,
            model.kind,
            f"{model.test[METRIC]:.4f}",
            interval(model),
            f"{model.test['recall@10']:.4f}",
            f"{model.test['coverage@10']:.1%}",
            str(model.trials or ""),
            duration(model.tune_seconds) if model.trials else "",
            duration(model.fit_seconds),
            style="bold green" if is_chosen else None,
        )
    return table


def _weights(card: Scorecard) -> Table:
    hybrid = card.hybrid
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for member in sorted(hybrid.weights, key=lambda member: (-hybrid.weights[member], member)):
        weight = hybrid.weights[member]
        without = f"{METRIC} without it {signed(hybrid.ablation[member])}" if member in hybrid.ablation else ""
        bar = Text("█" * round(BAR * weight), style="green") + Text("·" * (BAR - round(BAR * weight)), style="dim")
        table.add_row(f"  {member}", f"{weight:.3f}", bar, Text(without, style="dim"))
    return table


def _section(console: Console, title: str, style: str = "") -> None:
    console.print()
    console.print(Text(title, style=f"bold {style}".strip()))


def _list(lines: Iterable[tuple[str, str, str]]) -> Table:
    """Lines of (mark, its colour, text); long ones are folded under their own text."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for sign, colour, text in lines:
        table.add_row(Text(f"  {sign}", style=colour), Text(text))
    return table
