"""The hybrid that a run chose beside its best member, on the test users of that run.

The best member is the one that was best on validation; and, more severely, the one that turned out best on the test,
for all users and for each segment. Gains are paired by user, drawn within cold, warm and hot as the gate draws them. A
segment is held below only where the whole interval is: its upper bound must not be below 0. Each of `--runs` has a
seed of its own.
"""

from dataclasses import replace

import numpy as np

from bench.pipeline import Pipeline, run_pipeline
from bench.results import Figure, Options, Result
from bench.sets import SOURCES, STORE, config_of
from recsys.metrics.intervals import Gain, paired_bootstrap
from recsys.metrics.ranking import PerUser
from recsys.metrics.segments import USER_SEGMENTS

SETS = ("yelp", "lastfm", "ml-1m", "ml-100k")
HELD = ("yelp", "lastfm", "ml-1m")
"""Sets for which the issue asks for a gain."""
LEAST = 1.08
METRIC = "ndcg@10"
PerModel = dict[str, PerUser]


def measure(name: str, options: Options) -> Result:
    """Run the pipeline with the least configuration, or find the finished runs, one a seed, and compare by user."""
    config = config_of(name)
    data = {"source": SOURCES[name][0]} if name in SOURCES else {"path": config.data.path, "items": config.data.items}
    sections = {"data": {key: value for key, value in data.items() if value}, "split": {"method": config.split.method}}
    done = [
        run_pipeline(
            {"seed": seed, "tuning": {"seed": seed}, **sections}, STORE / f"row-hybrid-{name}-{seed}", options.threads
        )
        for seed in range(options.runs)
    ]
    cards = [run.card for run in done]
    found = [_against_members(run, LEAST if name in HELD else None) for run in done]
    raw = {
        "chosen": [card["hybrid"]["chosen"] for card in cards],
        "weights": [card["hybrid"]["weights"] for card in cards],
        "test ndcg@10": [{model: facts["test"][METRIC] for model, facts in card["models"].items()} for card in cards],
        "minutes": [round(run.seconds / 60, 1) for run in done],
        "notes": [card["notes"] for card in cards],
    }
    return Result("hybrid", name, pooled(found), cards[0]["environment"]["versions"], raw)


def _against_members(done: Pipeline, least: float | None) -> list[Figure]:
    models = done.card["models"]
    members = {member: facts for member, facts in models.items() if facts["kind"] != "hybrid"}
    on_validation = max(members, key=lambda member: members[member]["validation"][METRIC])
    return compared(done.per_user, done.card["hybrid"]["chosen"], list(members), on_validation, least)


def pooled(runs: list[list[Figure]]) -> list[Figure]:
    """The figures of several runs as one list: a value and a note a run."""
    return [
        replace(
            same[0],
            ours=[value for figure in same for value in figure.ours],
            peer=[value for figure in same for value in figure.peer],
            note=" | ".join(figure.note for figure in same),
        )
        for same in zip(*runs, strict=True)
    ]


def compared(
    per_user: PerModel, chosen: str, members: list[str], on_validation: str, least: float | None
) -> list[Figure]:
    """The hybrid against its best members, for all users and by segment.

    Args:
        per_user: as `recsys.stages.evaluate.PER_USER` says.
        chosen: the hybrid.
        members: its candidates.
        on_validation: the member that was best there.
        least: target of the ratio, and then of the interval to be above zero; none: both are told, not judged.
    """
    strata = per_user["segment"]
    on_test = max(members, key=lambda member: per_user[member].mean())
    figures, above = [], None if least is None else 0.0
    for when, member in (("validation", on_validation), ("test", on_test)):
        gain = paired_bootstrap(per_user[chosen], per_user[member], strata=strata)
        sides = ([float(per_user[model].mean())] for model in (chosen, member))
        figures += [
            Figure(f"test {METRIC} over the best member on {when}", *sides, least=least, note=member),
            Figure(f"lower bound of that gain, best on {when}", [gain.lo], least=above, note=_interval(gain)),
        ]
    parts = _segments(per_user, chosen, members)
    for segment, (member, hybrid, best, gain) in parts.items():
        figures.append(Figure(f"{segment}, {METRIC}", [hybrid], [best], note=f"{member}; {_interval(gain)}"))
    lowest = min(parts, key=lambda segment: parts[segment][3].hi)
    note = f"lowest: {lowest}"
    figures.append(Figure("upper bound of the gain on any segment", [parts[lowest][3].hi], least=0.0, note=note))
    return figures


def _segments(per_user: PerModel, chosen: str, members: list[str]) -> dict[str, tuple[str, float, float, Gain]]:
    """Segment -> its best member on the test, ndcg of the hybrid and of that member, the paired gain.

    Cold users are left out: popularity answers them, whatever the model.
    """
    label, found = per_user["segment"], {}
    for segment in ("warm", "hot", "head", "tail"):
        if segment in USER_SEGMENTS:
            inside = label == USER_SEGMENTS.index(segment)
            values = {model: per_user[model][inside] for model in (chosen, *members)}
        else:
            inside = ~np.isnan(per_user[f"{chosen}/{segment}"])
            values = {model: per_user[f"{model}/{segment}"][inside] for model in (chosen, *members)}
        if inside.sum() > 1:  # of one user there is no interval
            best = max(members, key=lambda member: values[member].mean())
            means = (float(values[model].mean()) for model in (chosen, best))
            found[segment] = (best, *means, paired_bootstrap(values[chosen], values[best], strata=label[inside]))
    return found


def _interval(gain: Gain) -> str:
    return f"gain {gain.mean:+.4f}, 95% interval {gain.lo:+.4f} to {gain.hi:+.4f}"
