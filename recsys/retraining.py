"""Whether a champion is worth a retraining: a pure decision, with its reasons in plain sentences."""

from dataclasses import dataclass

from recsys.config import RetrainSection, Section


@dataclass(frozen=True)
class Drift:
    """How far the new events are from what the champion learnt from."""

    popularity_shift: float
    """Jensen-Shannon distance of what is taken, beyond what chance shows: 0 to 1."""
    unknown_users: float
    """Share of new events of users it does not know: told, never a reason, because it answers them by their history."""
    unknown_items: float
    """Share of new events on items it does not know: 0 to 1."""
    score_shift: float
    """Kolmogorov-Smirnov distance of its best scores: 0 to 1."""
    ndcg: float | None
    """Its ndcg@10 on the new events of items in its catalogue; none where there are none."""
    tested_ndcg: float
    """Its ndcg@10 on the test it was promoted by."""


@dataclass(frozen=True)
class Signals:
    """What is known when a retraining is considered."""

    champion: int | None
    """Version; none where there is no champion."""
    learnt_events: int = 0
    """Events the champion learnt from."""
    new_events: int = 0
    """Events of the log it has not learnt from."""
    age_days: float = 0.0
    """Since it was registered."""
    stale: str = ""
    """Why the champion has to go whatever is new, such as a user who is to be forgotten."""
    drift: Drift | None = None
    """None where nothing is new, or nothing more is needed to decide."""


class Decision(Section):
    """Retrain or not, and why."""

    retrain: bool
    reasons: tuple[str, ...]
    """Each a sentence; those that decided, or all that were looked at where none did."""

    def markdown(self) -> str:
        """For a run page."""
        return "\n".join(
            [f"**{'retrain' if self.retrain else 'nothing to do'}**", "", *(f"- {r}" for r in self.reasons)]
        )


def decide(signals: Signals, config: RetrainSection) -> Decision:
    """Retrain when there is no champion, or enough is new and one reason more holds.

    >>> decide(Signals(champion=3, learnt_events=10_000, new_events=40), RetrainSection()).reasons
    ('40 new events, fewer than 100: not worth a retraining',)
    >>> decide(Signals(champion=3, learnt_events=10_000, new_events=900), RetrainSection()).reasons
    ('900 new events are 9.0% of the 10,000 learnt from, allowed below 5.0%',)
    """
    if signals.champion is None:
        return Decision(retrain=True, reasons=("there is no champion yet",))
    if signals.stale:
        return Decision(retrain=True, reasons=(f"champion v{signals.champion} is stale: {signals.stale}",))
    if signals.new_events < config.min_events:
        few = f"{signals.new_events:,} new events, fewer than {config.min_events:,}: not worth a retraining"
        return Decision(retrain=False, reasons=(few,))
    looked_at = _looked_at(signals, config)
    reasons = tuple(reason for holds, reason in looked_at if holds)
    return Decision(retrain=bool(reasons), reasons=reasons or tuple(reason for _, reason in looked_at))


def _looked_at(signals: Signals, config: RetrainSection) -> list[tuple[bool, str]]:
    share = signals.new_events / max(1, signals.learnt_events)
    found = [
        (
            share >= config.new_share,
            f"{signals.new_events:,} new events are {share:.1%} of the {signals.learnt_events:,} learnt from, "
            f"allowed below {config.new_share:.1%}",
        ),
        (
            signals.age_days >= config.max_age_days,
            f"the champion is {signals.age_days:.1f} days old, allowed below {config.max_age_days:g}",
        ),
    ]
    if (drift := signals.drift) is None:
        return found
    measures = (
        ("what is taken has shifted by", drift.popularity_shift, config.max_popularity_shift, ".3f"),
        ("new events on unknown items:", drift.unknown_items, config.max_unknown_share, ".1%"),
        ("the champion's best scores have shifted by", drift.score_shift, config.max_score_shift, ".3f"),
    )
    found += [(value > most, f"{what} {value:{form}}, allowed {most:{form}}") for what, value, most, form in measures]
    if drift.ndcg is not None and drift.tested_ndcg > 0:
        drop = 1 - drift.ndcg / drift.tested_ndcg
        found.append(
            (
                drop > config.max_quality_drop,
                f"ndcg@10 {drift.ndcg:.4f} on new events of known items against {drift.tested_ndcg:.4f} on test, "
                f"{-drop:+.1%}, may drop by {config.max_quality_drop:.1%}",
            )
        )
    return found
