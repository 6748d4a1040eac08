"""What a reader should know: of a log without times, of candidates whose budget was small, or wasted."""

from collections.abc import Mapping

from recsys.data.interactions import Interactions
from recsys.hybrid.pool import FLOOR
from recsys.report.wording import duration
from recsys.stages.candidates import Fitted
from recsys.stages.hybrids import Chosen

TORN = "; a time split tests the ends of long histories only: set split.method to leave_last or ratio"
"""What a split by time does to such a log."""


def undated(log: Interactions, method: str) -> tuple[str, ...]:
    """A log whose times are places in a history."""
    if log.is_dated:
        return ()
    return (
        "most users begin at the same timestamp, so that timestamps are taken for places in a history: popularity and "
        "the trend of fm do without the age of events" + (TORN if method == "time" else ""),
    )


def unearned(fitted: Mapping[str, Fitted]) -> tuple[str, ...]:
    """Candidates that earned nothing before the search."""
    return tuple(
        f"{name} earned nothing in the blend of the first models: to search with it had only its even part and what "
        f"others left, {duration(one.granted_seconds)}"
        for name, one in fitted.items()
        if not one.earned and name != FLOOR
    )


def idle(fitted: Mapping[str, Fitted], outcome: Chosen) -> tuple[str, ...]:
    """Members that no hybrid gives weight and that the chosen one does not miss: their budget was wasted.

    Weights alone do not say so: those of a segment or of tail items, and what trees hear, are no shares.
    """
    return tuple(
        f"{name} earned no weight in any hybrid, and the chosen one is as good without it: leave it out of "
        f"models.candidates to save its {duration(one.tuned.seconds + one.fit_seconds)}"
        for name, one in fitted.items()
        if name != FLOOR
        and not any(shares[name] for shares in outcome.weights.values())
        and outcome.ablation.get(name, 0.0) >= 0
    )
