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
    LEADERBOARD,
    choice_line,
    data_line,
    dataset_line,
    headline,
    mark,
    search_line,
    signed,
    standing,
)

BAR = 30
"""Characters that a weight of 1 takes, where there is room."""
DISPENSABLE = ("search", "trials", "kind", "fit", "coverage@10", "recall@10")
"""Columns that a narrow terminal does without, in this order."""
UNBOUND = 1000
"""Characters of a console on which a table has the width it asks for."""

COLOURS = {"✓": "green", "✗": "red", "•": "yellow"}


def print_leaderboard(card: Scorecard, console: Console, *, next_steps: Sequence[tuple[str, str]] = ()) -> None:
    """Print what a person wants to see at the end of a run.

    Args:
        card: of the run.
        console: made for 100 columns; a narrower one has fewer columns in its table, and folds lines.
        next_steps: (what for, command); printed last, each command on a line of its own, never broken.
    """
    console.print(Text(dataset_line(card), style="dim"))
    console.print(_leaderboard(card, console))
    for line in (data_line(card), search_line(card)):
        console.print(Padding(Text(line, style="dim"), (0, 1)))
    _section(console, f"Hybrid weights: {card.hybrid.chosen}")
    console.print(Text(f"  {choice_line(card.hybrid)}", style="dim"))
    console.print(_weights(card, console))
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


def _leaderboard(card: Scorecard, console: Console) -> Table:
    """All columns, or those there is room for: what is left out stands in the report."""
    columns = list(LEADERBOARD)
    table = _standings(card, columns)
    anywhere = console.options.update(max_width=UNBOUND)
    for column in DISPENSABLE:
        if console.measure(table, options=anywhere).maximum <= console.width:
            break
        columns.remove(column)
        table = _standings(card, columns)
    return table


def _standings(card: Scorecard, columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("", justify="right", style="dim", no_wrap=True)
    for name in columns:
        is_word = name in LEADERBOARD[:2]
        table.add_column(
            name, justify="left" if is_word else "right", style="dim" if name == "kind" else "", no_wrap=True
        )
    for place, (name, model) in enumerate(card.ranked(), start=1):
        is_chosen = name == card.hybrid.chosen
        cells = standing(name, model)
        table.add_row(
            "►" if is_chosen else str(place),
            *(cells[column] for column in columns),
            style="bold green" if is_chosen else None,
        )
    return table


def _weights(card: Scorecard, console: Console) -> Table:
    hybrid = card.hybrid
    rest = max(map(len, hybrid.weights), default=0) + len(f"    0.000    {METRIC} without it -0.0000  ")
    full = max(1, min(BAR, console.width - rest))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for member in sorted(hybrid.weights, key=lambda member: (-hybrid.weights[member], member)):
        weight = hybrid.weights[member]
        without = f"{METRIC} without it {signed(hybrid.ablation[member])}" if member in hybrid.ablation else ""
        bar = Text("█" * round(full * weight), style="green") + Text("·" * (full - round(full * weight)), style="dim")
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
