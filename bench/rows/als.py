"""als beside implicit's ALS: test quality after equal searches, and the seconds of a fit to equal quality.

Both sides have 64 factors, the order of size of implicit's own default: more make both better and slower alike. A trial
is a fit of SWEEPS sweeps on train, judged on the way; what it is worth, and how many sweeps it shall have, is its best
ndcg@10 on validation users. Ours also chooses how fast history fades when it scores (half_life), the best of all values
where the product's tuning climbs from its default; figures marked "plain" leave that out, chosen among the same trials
by what they were worth without it (history still fades in training).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from bench import sets
from bench.exchange import Fit, Task
from bench.judge import curve, quality, seconds_to
from bench.paired import alternate, versions
from bench.results import Figure, Options, Result
from bench.runner import fit_ours, fit_peer
from bench.search import Found, best, search
from bench.sets import Part
from recsys.models.als import ALS
from recsys.models.base import HALF_LIVES, Range

SETS = ("yelp", "lastfm", "ml-1m", "ml-100k")
FACTORS = 64
SWEEPS = 15
EVERY = 3
"""Sweeps between two looks at a trial."""
CONFIG = {"epoch": "epochs", "half_life": "half_life"}
"""Label of a checkpoint -> the parameter with which a fit ends there."""


@dataclass(frozen=True)
class Side:
    """Who fits, and what it searches."""

    fit: Callable[[Task], Fit]
    space: Mapping[str, Range]
    first: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    """Further `params` of its tasks."""
    in_trials: Mapping[str, Any] = field(default_factory=dict)
    """The same, in trials only."""

    def run(self, part: Part, options: Options, params: Mapping[str, Any], **how: Any) -> Fit:
        """One fit."""
        config = {"factors": FACTORS, "epochs": SWEEPS, **params}
        return self.fit(part.task(options.threads, config=config, **self.given, **how))

    def search(self, part: Part, options: Options) -> list[Found]:
        """All trials, at each of their checkpoints."""

        def judge(params: dict[str, Any]) -> list[Found]:
            fit = self.run(part, options, params, every=EVERY, **self.in_trials)
            return [
                Found(params | {CONFIG[key]: value for key, value in labels.items()}, worth)
                for _, worth, labels in curve(fit, part.holdout)
            ]

        return search(options.trials, self.space, self.first, judge)


OUR_SPACE = {name: given for name, given in ALS.SPACE.items() if name != "factors" and isinstance(given, Range)}
OURS = Side(
    fit_ours,
    OUR_SPACE,
    {name: getattr(ALS.Config(), name) for name in OUR_SPACE},
    {"model": ALS.name},
    {"half_lives": HALF_LIVES},
)
PEER = Side(
    partial(fit_peer, "implicit_als"),
    {"regularization": Range(low=0.001, high=100.0, log=True), "alpha": Range(low=1.0, high=300.0, log=True)},
    {"regularization": 0.01, "alpha": 1.0},
)


def measure(name: str, options: Options) -> Result:
    """Search both sides on validation, judge both once on test, time both to the peer's quality on validation."""
    split = sets.load(name)
    part, test = sets.validation(split), sets.test(split)
    ours, peer = OURS.search(part, options), PEER.search(part, options)
    recent, plain, theirs = best(ours), best(one for one in ours if one.params.get("half_life") == 0), best(peer)

    def paired(on: Part, **how: Any) -> tuple[list[Fit], list[Fit], list[Fit]]:
        """Fits of ours, of ours without recency, of the peer."""
        pairs, peers = alternate(
            options.runs,
            lambda run: [OURS.run(on, options, one.params, seed=run, **how) for one in (recent, plain)],
            lambda run: PEER.run(on, options, theirs.params, seed=run, **how),
        )
        return [first for first, _ in pairs], [second for _, second in pairs], peers

    judged = [[quality(fit.top[-1], test.holdout) for fit in fits] for fits in paired(test)]
    traced = paired(part, every=1)
    goals = [quality(fit.top[-1], part.holdout) for fit in traced[2]]
    reached = [
        [seconds_to(goal, curve(fit, part.holdout)) for fit, goal in zip(fits, goals, strict=True)] for fits in traced
    ]
    whole = [[float(fit.seconds[-1]) for fit in fits] for fits in traced]
    memory = [[fit.memory_mib for fit in fits] for fits in traced]
    figures = [
        Figure("test ndcg@10", judged[0], judged[2], least=1.0),
        Figure("test ndcg@10, plain", judged[1], judged[2]),
        Figure("fit to the peer's quality", reached[0], reached[2], most=1.0, unit="s"),
        Figure("fit to the peer's quality, plain", reached[1], reached[2], unit="s"),
        Figure("whole fit", whole[0], whole[2], unit="s"),
        Figure("memory of the fit", memory[0], memory[2], unit="MiB"),
    ]
    raw = {
        "ours": asdict(recent),
        "ours, plain": asdict(plain),
        "peer": asdict(theirs),
        "our trials": [asdict(one) for one in ours],
        "peer trials": [asdict(one) for one in peer],
    }
    return Result("als", name, figures, versions(traced[0][0].versions, traced[2][0].versions), raw)
