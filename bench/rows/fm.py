"""fm beside the feature-model peers, LightFM on WARP and libFM's sampler; and items that nobody has met.

All sides are given the same attributes of items and users. Each has the same number of trials: its defaults, then
values drawn from its space, fitted on train and worth their best epoch by ndcg@10 on validation users. What was
chosen is fitted on train and validation for as many epochs, and judged on test. On items kept out of training, ours
and LightFM keep those parameters; a set without item attributes has no such figures.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from bench import cold, judge, sets
from bench.exchange import Fit, Task
from bench.paired import alternate, versions
from bench.results import Figure, Options, Result
from bench.runner import fit_ours, fit_peer
from bench.search import Found, best, search
from recsys.models.base import Range
from recsys.models.fm import FM

SETS = ("yelp", "lastfm", "ml-100k", "ml-1m")
QUALITY, UNSEEN = 1.05, 5.0
"""Targets: ratio of ndcg@10, and recall over that of a random order."""


@dataclass(frozen=True)
class Side:
    """Who fits, and what it searches."""

    name: str
    fit: Callable[[Task], Fit]
    space: Mapping[str, Range]
    first: Mapping[str, Any]
    epochs: int
    """At most; the best checkpoint of a trial says how many."""
    every: int
    """Epochs between two looks at a trial."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the search does not vary."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Further `params` of its tasks."""

    def search(self, part: sets.Part, options: Options) -> list[Found]:
        """All trials, at each of their checkpoints."""

        def judged(drawn: dict[str, Any]) -> list[Found]:
            params = {**self.params, "every": self.every, "seconds": options.peer_seconds / options.trials}
            config = {**self.config, **drawn, "epochs": self.epochs}
            curve = judge.curve(self.fit(part.task(options.threads, config=config, **params)), part.holdout)
            return [Found({**config, "epochs": label["epoch"]}, value) for _, value, label in curve]

        return search(options.trials, self.space, self.first, judged)


OUR_SPACE = {name: given for name, given in FM.SPACE.items() if isinstance(given, Range)}
OURS = Side(
    "fm",
    fit_ours,
    OUR_SPACE,
    {name: getattr(FM.Config(), name) for name in OUR_SPACE},
    epochs=20,
    every=1,
    params={"model": FM.name},
)
LIGHTFM = Side(
    "LightFM",
    partial(fit_peer, "lightfm_features"),
    {
        "learning_rate": Range(low=0.01, high=0.2, log=True),
        "item_alpha": Range(low=1e-8, high=1e-3, log=True),
        "user_alpha": Range(low=1e-8, high=1e-3, log=True),
    },
    {"learning_rate": 0.05, "item_alpha": 1e-8, "user_alpha": 1e-8},
    epochs=50,
    every=5,
    config={"no_components": 64},
)
MYFM = Side(
    "myFM",
    partial(fit_peer, "myfm_ranking"),
    {
        "rank": Range(low=8, high=32, log=True, integer=True),
        "negatives": Range(low=1, high=4, log=True, integer=True),
    },
    {"rank": 16, "negatives": 4},
    epochs=50,
    every=10,
)


def measure(name: str, options: Options) -> Result:
    """Search, fit and judge on a set; then, where items have attributes, on items kept out."""
    split = sets.load(name)
    test = sets.test(split)
    found = {side.name: side.search(sets.validation(split), options) for side in (OURS, LIGHTFM, MYFM)}
    chosen = {side: best(trials).params for side, trials in found.items()}
    raw: dict[str, Any] = {f"{side} chosen": params for side, params in chosen.items()}
    raw |= {f"{side} trials": [asdict(one) for one in trials] for side, trials in found.items()}
    figures: list[Figure] = []
    packages: dict[str, str] = {}
    for peer in (LIGHTFM, MYFM):
        ours, theirs = _in_turn(OURS, peer, chosen, options, partial(test.task, options.threads))
        quality = [[judge.quality(fit.top[-1], test.holdout) for fit in fits] for fits in (ours, theirs)]
        seconds = [[float(fit.seconds[-1]) for fit in fits] for fits in (ours, theirs)]
        figures.append(Figure(f"test ndcg@10 against {peer.name}", *quality, least=QUALITY))
        figures.append(Figure(f"fit against {peer.name}", *seconds, unit="s"))
        packages |= versions(ours[0].versions, theirs[0].versions)
    if split.data.item_features is not None:
        figures += _unseen(cold.keep_out(split.data), chosen, options)
    return Result("fm", name, figures, packages, raw)


def _in_turn(
    ours: Side, peer: Side, chosen: Mapping[str, Mapping[str, Any]], options: Options, task: Callable[..., Task]
) -> tuple[list[Fit], list[Fit]]:
    """Ours and the peer, each as it was chosen; the run is the seed."""

    def fit(side: Side, seed: int) -> Fit:
        return side.fit(task(config=chosen[side.name], seed=seed, **side.params))

    return alternate(options.runs, partial(fit, ours), partial(fit, peer))


def _unseen(kept: cold.ColdItems, chosen: Mapping[str, Mapping[str, Any]], options: Options) -> list[Figure]:
    """Recall of items that were kept out of training, by attributes alone."""
    in_process = replace(OURS, fit=cold.fit_ours)
    ours, peer = _in_turn(in_process, LIGHTFM, chosen, options, partial(kept.task, options.threads))
    over, over_peer = ([kept.over_chance(fit) for fit in fits] for fits in (ours, peer))
    in_all, in_all_peer = ([kept.recall_in_all(fit) for fit in fits] for fits in (ours, peer))
    what = f"recall@{cold.AMONG} among {len(kept.items)} items never seen"
    note = f"random finds {kept.chance:.3f} of them, so no order is over {1 / kept.chance:.1f}"
    return [
        Figure(f"{what}, over random's", over, least=UNSEEN, note=note),
        Figure(f"{what}, over random's, against {LIGHTFM.name}", over, over_peer),
        Figure("recall@20 of them in the whole catalogue", in_all, in_all_peer),
    ]
