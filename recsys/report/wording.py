"""How the report says things: durations, intervals, verdicts; shared by terminal and Markdown."""

from recsys.promotion import METRIC
from recsys.report.scorecard import HybridRecord, ModelRecord, PromotionRecord, Scorecard

MINUS = "−"


def duration(seconds: float) -> str:
    """Wall time as a person says it.

    >>> duration(3.14), duration(42.4), duration(185)
    ('3.1 s', '42 s', '3m 05s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest} s"


def signed(value: float) -> str:
    """Four decimals with a sign of full width.

    >>> signed(0.01234), signed(-0.5)
    ('+0.0123', '−0.5000')
    """
    return f"{value:+.4f}".replace("-", MINUS)


def interval(model: ModelRecord) -> str:
    """Bounds of the model's test ndcg@10."""
    lo, hi = model.test_ci[METRIC]
    return f"{lo:.4f}–{hi:.4f}"


LEADERBOARD = ("model", "kind", METRIC, "95% interval", "recall@10", "coverage@10", "trials", "search", "fit")
"""Columns of the leaderboard; the first two are words."""


def standing(name: str, model: ModelRecord) -> dict[str, str]:
    """A model's line of the leaderboard: column -> cell, empty where it was not searched."""
    cells = (
        name,
        model.kind,
        f"{model.test[METRIC]:.4f}",
        interval(model),
        f"{model.test['recall@10']:.4f}",
        f"{model.test['coverage@10']:.1%}",
        str(model.trials or ""),
        duration(model.tune_seconds) if model.trials else "",
        duration(model.fit_seconds),
    )
    return dict(zip(LEADERBOARD, cells, strict=True))


def headline(promotion: PromotionRecord) -> str:
    """The verdict in one line."""
    version = promotion.champion_version
    if promotion.promoted:
        return f"Promoted: version {version} is the champion"
    stays = "there is no champion yet" if version is None else f"version {version} stays the champion"
    return f"Not promoted: {stays}"


def mark(reason: str) -> str:
    """✓ or ✗ for the sentence of a check, by the word it ends in; • for any other.

    >>> mark("p95 latency 4.2 ms, at most 500.0 ms: passed"), mark("the champion saw the test events")
    ('✓', '•')
    """
    return "✗" if ": failed" in reason else "✓" if ": passed" in reason else "•"


def choice_line(hybrid: HybridRecord) -> str:
    """How the hybrid was chosen, with the scores of its rivals."""
    rivals = sorted(hybrid.cv.items(), key=lambda entry: -entry[1])
    scores = ", ".join(f"{name} {score:.4f}" for name, score in rivals)
    rule = "the simplest within two standard errors of the best"
    return f"chosen by {METRIC} on cross-validated validation users, {rule}: {scores}"


def dataset_line(card: Scorecard) -> str:
    """The data set and its split in one line."""
    data, split = card.dataset, card.split
    return (
        f"{data.name}: {data.interactions:,} interactions of {data.users:,} users and {data.items:,} items; "
        f"{split.method} split, {split.test_users:,} test users, leakage check {split.leakage_check}"
    )


def search_line(card: Scorecard) -> str:
    """What each candidate earned before the search, and the seconds it got for that, most earned first."""
    candidates = sorted((one for one in card.models.items() if one[1].trials), key=lambda entry: -entry[1].earned)
    parts = (f"{name} {model.earned:.3f}, {duration(model.granted_seconds)}" for name, model in candidates)
    return f"Weight earned in the blend of the first models, and time to search with: {'; '.join(parts)}"


def data_line(card: Scorecard) -> str:
    """Which data the figures of the leaderboard come from."""
    of = card.data_of
    return f"Test figures: models fitted on {of.test}; serving model: fitted on {of.serving}"
