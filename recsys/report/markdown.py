"""The scorecard in Markdown: for leaderboard.md, and piece by piece for artifacts."""

from collections.abc import Iterable, Sequence

from recsys.promotion import METRIC
from recsys.report.scorecard import Scorecard
from recsys.report.wording import (
    LEADERBOARD,
    choice_line,
    data_line,
    dataset_line,
    duration,
    headline,
    interval,
    mark,
    search_line,
    signed,
    standing,
)

SEGMENTS = ("cold", "warm", "hot", "head", "tail")
NOTHING = "–"


def report_markdown(card: Scorecard, figures: Sequence[str] = ()) -> str:
    """All of leaderboard.md; `figures` are file names beside it."""
    stages = {name: value for name, value in card.timings.model_dump(by_alias=True).items() if name != "total"}
    parts = [
        f"# {card.dataset.name}",
        dataset_line(card) + ".",
        "## Leaderboard",
        leaderboard_markdown(card),
        "## Verdict",
        verdict_markdown(card),
        "## Hybrid",
        weights_markdown(card),
        "## Segments",
        segments_markdown(card),
        "## Time",
        f"{duration(card.timings.total)} in all: "
        + ", ".join(f"{name} {duration(seconds)}" for name, seconds in stages.items())
        + f"; {card.environment.cpus} CPUs, {card.environment.memory_gib} GiB, on {card.environment.device}.",
    ]
    if card.notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in card.notes)]
    if figures:
        parts += ["## Figures", "\n\n".join(f"![{name.partition('.')[0]}]({name})" for name in figures)]
    return "\n\n".join(parts) + "\n"


def version_markdown(card: Scorecard) -> str:
    """What a version of the model is worth, from which data, and what the gate said: for its page in the registry."""
    chosen = card.models[card.hybrid.chosen]
    parts = [
        f"Test {METRIC} **{chosen.test[METRIC]:.4f}** ({interval(chosen)}), hybrid `{card.hybrid.chosen}`.",
        dataset_line(card) + ".",
        "## When it was judged",
        verdict_markdown(card),
        "## Hybrid",
        weights_markdown(card),
        "## Beside its members",
        leaderboard_markdown(card),
    ]
    return "\n\n".join(parts) + "\n"


def leaderboard_markdown(card: Scorecard) -> str:
    """Every model and hybrid by test ndcg@10; the chosen hybrid in bold."""
    rows = []
    for place, (name, model) in enumerate(card.ranked(), start=1):
        is_chosen = name == card.hybrid.chosen
        cells = standing(f"{name} ◄ chosen" if is_chosen else name, model)
        row = (str(place), *(cell or NOTHING for cell in cells.values()))
        rows.append(tuple(f"**{cell}**" for cell in row) if is_chosen else row)
    return f"{table(('', *LEADERBOARD), rows, left=(1, 2))}\n\n{data_line(card)}.\n\n{search_line(card)}."


def weights_markdown(card: Scorecard) -> str:
    """Weights of the chosen hybrid's members, what each is worth, and how the hybrid was chosen."""
    hybrid = card.hybrid
    text = f"**{hybrid.chosen}** was {choice_line(hybrid)}."
    members = sorted(hybrid.weights, key=lambda member: (-hybrid.weights[member], member))
    rows = [
        (
            member,
            f"{hybrid.weights[member]:.3f}",
            signed(hybrid.ablation[member]) if member in hybrid.ablation else NOTHING,
        )
        for member in members
    ]
    return f"{text}\n\n{table(('member', 'weight', f'{METRIC} without it'), rows, left=(0,))}" if rows else text


def verdict_markdown(card: Scorecard) -> str:
    """What the gate decided, with its reasons."""
    reasons = "\n".join(f"- {mark(reason)} {reason}" for reason in card.promotion.reasons)
    return f"**{headline(card.promotion)}.**\n\n{reasons}"


def segments_markdown(card: Scorecard) -> str:
    """ndcg@10 by segment, best model first."""
    rows = [
        (name, *(_cell(card.segments[name].get(segment, {})) for segment in SEGMENTS))
        for name, _ in card.ranked()
        if name in card.segments
    ]
    header = (METRIC, *(_heading(card, segment) for segment in SEGMENTS))
    return table(header, rows, left=(0,))


def _heading(card: Scorecard, segment: str) -> str:
    counts = {int(segments[segment]["users"]) for segments in card.segments.values() if segment in segments}
    return f"{segment} ({max(counts, default=0):,} users)"


def _cell(segment: dict[str, int | float]) -> str:
    return f"{segment[METRIC]:.4f}" if METRIC in segment else NOTHING


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    """Columns in `left` are aligned left, all others right."""
    rule = [":--" if column in left else "--:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
