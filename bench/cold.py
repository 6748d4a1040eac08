"""Items that nobody has met: a tenth of a catalogue kept out of training, then recommended by attributes alone."""

from dataclasses import dataclass

import numpy as np

from bench import judge
from bench.exchange import DEPTH, Fit, Task
from bench.fit_ours import BLOCK, dataset, lists
from bench.sets import Part
from recsys.data.dataset import Dataset, Holdout
from recsys.metrics.top_k import top_k
from recsys.models.table import create

SHARE = 0.1
"""Of the items with events that are kept out."""
AMONG = 50
"""Items of a list among the unseen ones."""


@dataclass(frozen=True, eq=False)
class ColdItems:
    """Users who met an item that was kept out, and a log in which no event of such an item is left."""

    part: Part
    items: np.ndarray
    """[C] rows of the items, in random order: whoever cannot tell them apart gains nothing by the order of rows."""

    @property
    def chance(self) -> float:
        """Expected recall@AMONG of a random order of the unseen items."""
        return min(1.0, AMONG / len(self.items))

    def task(self, threads: int, **params: object) -> Task:
        """A fit on the log, with lists among the unseen items and among all."""
        return self.part.task(threads, among=self.items.tolist(), depth=AMONG, **params)

    def over_chance(self, fit: Fit) -> float:
        """Recall@AMONG among the unseen items over that of a random order."""
        return judge.quality(fit.extra["among"], self.part.holdout, f"recall@{AMONG}") / self.chance

    def recall_in_all(self, fit: Fit) -> float:
        """Recall@DEPTH where the unseen items stand against the whole catalogue."""
        return judge.quality(fit.top[-1], self.part.holdout, f"recall@{DEPTH}")


def keep_out(data: Dataset, seed: int = 0) -> ColdItems:
    """Take a tenth of the items out of a log.

    A history is all the user did with other items, before and after: what is asked is whether attributes tell who
    takes an item, not when.
    """
    log = data.interactions
    met = np.unique(log.item)
    items = np.random.default_rng(seed).permutation(met)[: round(SHARE * len(met))]
    kept_out = np.isin(log.item, items)
    train, truth = log.where(~kept_out), log.where(kept_out)
    users = np.flatnonzero((truth.lengths > 0) & (train.lengths > 0))
    holdout = Holdout(train.select(users), truth.select(users))
    return ColdItems(Part(data.with_interactions(train), users, holdout), items.astype(np.int64))


def fit_ours(task: Task) -> Fit:
    """Fit `task.params["model"]` in this process and make both kinds of lists; nothing is timed."""
    params = task.params
    data, among = dataset(task), np.array(params["among"])
    model = create(params["model"], params["config"], seed=params["seed"]).fit(data)
    log = data.interactions
    blocks = [log.select(task.users[start : start + BLOCK]) for start in range(0, len(task.users), BLOCK)]
    best = [top_k(model.score(block)[:, among], None, params["depth"])[0] for block in blocks]
    top = lists(model, log, task.users)
    return Fit(np.zeros(1), top[None], [{}], 0.0, {}, {"among": among[np.concatenate(best)]})
