"""The scorecard as figures; one colour per model in all of them."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING

from recsys.promotion import METRIC
from recsys.report.scorecard import ModelRecord, Scorecard
from recsys.report.wording import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, told apart by colour-blind readers too. Hybrids share one: they stand beside their names.
COLOURS = {
    "popularity": "#7f7f7f",
    "als": "#0072b2",
    "fm": "#009e73",
    "ease": "#e69f00",
    "multvae": "#cc79a7",
    "sasrec": "#56b4e9",
}
HYBRID = "#d55e00"
INK, PALE = "#222222", "#dddddd"

SEGMENTS = {
    "cold": "cold users",
    "warm": "warm users",
    "hot": "hot users",
    "head": "head items",
    "tail": "tail items",
}


def leaderboard(card: Scorecard) -> "Figure":
    """Test ndcg@10 of every model with its 95% interval, best on top."""
    ranked = card.ranked()
    figure, (axes,) = panels(1, width=9, height=1.4 + 0.42 * len(ranked))
    for place, (name, model) in enumerate(ranked):
        lo, hi = model.test_ci[METRIC]
        is_chosen = name == card.hybrid.chosen
        colour = _colour(name, model)
        axes.plot([lo, hi], [place, place], color=colour, linewidth=3 if is_chosen else 2, solid_capstyle="round")
        axes.plot(model.test[METRIC], place, marker="D" if is_chosen else "o", color=colour, markersize=8)
        axes.annotate(f"{model.test[METRIC]:.4f}", (hi, place), (6, 0), textcoords="offset points", va="center")
    _name_rows(axes, card, [name for name, _ in ranked])
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"test {METRIC} and 95% interval, {card.split.test_users:,} users")
    axes.set_title(f"{card.dataset.name}, {card.split.method} split", loc="left", weight="bold")
    return figure


def hybrid_weights(card: Scorecard) -> "Figure":
    """Weight of each member of the chosen hybrid, and what ndcg@10 loses without it."""
    hybrid = card.hybrid
    members = sorted({*hybrid.weights, *hybrid.ablation}, key=lambda member: (-hybrid.weights.get(member, 0), member))
    figure, both = panels(2, width=10, height=1.4 + 0.42 * len(members))
    colours = [_colour(member, card.models.get(member)) for member in members]
    for axes, values, form in zip(both, (hybrid.weights, hybrid.ablation), ("{:.3f}".format, signed), strict=True):
        bars = axes.barh(
            range(len(members)), [values.get(member, 0.0) for member in members], color=colours, height=0.62
        )
        axes.bar_label(bars, [form(values[member]) if member in values else "" for member in members], padding=4)
        axes.margins(x=0.22)
        axes.locator_params(axis="x", nbins=5)
        axes.axvline(0, color=INK, linewidth=0.8)
        _name_rows(axes, card, members)
    both[1].tick_params(labelleft=False)
    both[0].set_title(f"{hybrid.chosen}: weight", loc="left", weight="bold")
    both[1].set_title(f"change of {METRIC} without the member", loc="left", weight="bold")
    return figure


def tuning(card: Scorecard, histories: Mapping[str, Sequence[float]]) -> "Figure":
    """Best validation metric so far, trial by trial; a point a trial."""
    figure, (axes,) = panels(1, width=9, height=4.6)
    for name, values in sorted(histories.items(), key=lambda entry: -max(entry[1])):
        colour = _colour(name, card.models.get(name))
        trials = range(1, len(values) + 1)
        axes.plot(trials, values, "o", color=colour, markersize=4, alpha=0.35)
        best = list(accumulate(values, max))
        axes.step(trials, best, where="post", color=colour, linewidth=2, label=f"{name} {best[-1]:.4f}")
    axes.locator_params(axis="x", integer=True)
    axes.grid(axis="y", color=PALE)
    axes.set_xlabel("trial; the first is the starting point")
    axes.set_ylabel("validation metric")
    axes.set_title("Tuning: best so far", loc="left", weight="bold")
    figure.legend(loc="outside right center", frameon=False)
    return figure


def segments(card: Scorecard) -> "Figure":
    """Test ndcg@10 by user history and item popularity, one panel a segment."""
    names = [name for name, _ in card.ranked() if name in card.segments]
    shown = [segment for segment in SEGMENTS if any(METRIC in card.segments[name].get(segment, {}) for name in names)]
    figure, side_by_side = panels(max(1, len(shown)), width=3 + 2.2 * len(shown), height=1.4 + 0.38 * len(names))
    for axes, segment in zip(side_by_side, shown, strict=False):
        for place, name in enumerate(names):
            found = card.segments[name].get(segment, {})
            if METRIC in found:
                axes.plot([0, found[METRIC]], [place, place], color=PALE, linewidth=2, zorder=1)
                axes.plot(found[METRIC], place, "o", color=_colour(name, card.models[name]), markersize=8)
        users = max(int(card.segments[name][segment]["users"]) for name in names if segment in card.segments[name])
        axes.set_title(f"{SEGMENTS[segment]}\n{users:,} users", loc="left", fontsize=10)
        axes.margins(x=0.1)
        axes.set_xlim(left=0)
        axes.set_xlabel(METRIC)
        axes.locator_params(axis="x", nbins=3)
        _name_rows(axes, card, names)
        axes.tick_params(labelleft=axes is side_by_side[0])
    return figure


def png(figure: "Figure") -> bytes:
    """The figure as a PNG file."""
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def panels(count: int, *, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    """A figure of its own (pyplot would keep it alive) with `count` panels side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=144, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    made = [figure.add_subplot(1, count, place + 1) for place in range(count)]
    for axes in made:
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(PALE)
        axes.tick_params(colors=INK, length=0)
        axes.grid(axis="x", color=PALE)
        axes.set_axisbelow(True)
    return figure, made


def _name_rows(axes: "Axes", card: Scorecard, names: Sequence[str]) -> None:
    """Names down the left side, the first on top, the chosen hybrid in bold."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for label in axes.get_yticklabels():
        if label.get_text() == card.hybrid.chosen:
            label.set_fontweight("bold")


def _colour(name: str, model: ModelRecord | None) -> str:
    is_hybrid = model is not None and model.kind == "hybrid"
    return HYBRID if is_hybrid else COLOURS.get(name, INK)
