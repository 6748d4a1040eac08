"""What a reader should know of candidates whose budget was small, or wasted."""

from collections.abc import Mapping

from recsys.hybrid.pool import FLOOR
from recsys.report.wording import duration
from recsys.stages.candidates import Fitted
from recsys.stages.hybrids import Chosen


def unearned(fitted: Mapping[str, Fitted]) -> tuple[str, ...]:
    """Candidates that earned nothing before the search."""
    return tuple(
        f"{name} earned nothing in the blend of the first models: to search with it had only its even part and what "
        f"others left, {duration(one.granted_seconds)}"
        for name, one in fitted.items()
        if not one.earned and name != FLOOR
    )


def idle(fitted: Mapping[str, Fitted], outcome: Chosen) -> tuple[str, ...]:
    """Members that no hybrid gives weight: their budget was wasted."""
    return tuple(
        f"{name} earned no weight in any hybrid: leave it out of models.candidates to save its "
        f"{duration(one.tuned.seconds + one.fit_seconds)}"
        for name, one in fitted.items()
        if not any(shares[name] for shares in outcome.weights.values()) and name != FLOOR
    )
