"""Exact top-20 for everybody, 100,000 users × 50,000 items, by the factor models' whole path beside the bare product.

The whole path starts from histories: fold the user in, score, check, leave out what was seen, rank with ties in order
(`recsys.metrics.recommend`). The bare side is given the user vectors and does one matrix product and one `torch.topk` a
block (`bench/score_all.py`). Both have the same blocks and threads. Memory beyond model and log is held against what is
declared: the budget of a block of scores, that of a model's fold-in, and the lists.
"""

from functools import partial

import numpy as np
from scipy import sparse

from bench.exchange import DEPTH, Fit, Task
from bench.paired import alternate
from bench.results import Figure, Options, Result
from bench.runner import fit_ours
from recsys.metrics.recommend import BLOCK_BYTES
from recsys.models import als

SETS = ("",)
USERS, ITEMS = 100_000, 50_000
PER_USER, ATTRIBUTES, PER_ITEM = 30, 300, 3
D = {"als": 128, "fm": 128}
"""Length of the vectors of each model."""
FOLD_IN = {"als": als.BLOCK_BYTES, "fm": 0}
"""Bytes of a model's own budget for a block of histories."""
MODULE = "bench.score_all"
PLACE_BYTES = 8
"""Of a place in a list: item and score."""


def measure(name: str, options: Options) -> Result:
    """Time and memory of both sides for every factor model."""
    return scored(USERS, ITEMS, options)


def scored(users: int, items: int, options: Options) -> Result:
    """`measure` for a catalogue of this size."""
    task, figures, versions = histories(users, items, options.threads), [], {}
    for model, d in D.items():

        def run(_: int, bare: bool, model: str = model, d: int = d) -> Fit:
            task.params.update(model=model, d=d, bare=bare)
            return fit_ours(task, MODULE)

        ours, peer = alternate(options.runs, partial(run, bare=False), partial(run, bare=True))
        declared = (BLOCK_BYTES + FOLD_IN[model] + users * DEPTH * PLACE_BYTES) / 2**20
        memory = [fit.memory_mib for fit in ours]
        figures += [
            Figure(f"{model}: everybody's top 20", *_seconds(ours, peer), most=1.5, unit="s"),
            Figure(f"{model}: memory", memory, most=round(declared, 1), unit="MiB", note="target: the budget declared"),
        ]
        versions = ours[0].versions
    raw = {"users": users, "items": items, "events": len(task.user), "d": D, "block, MiB": BLOCK_BYTES / 2**20}
    return Result("scoring", "", figures, versions, raw)


def histories(users: int, items: int, threads: int) -> Task:
    """Random histories of PER_USER events on average, and random attributes of items."""
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(users, size=users * PER_USER) * items + rng.integers(items, size=users * PER_USER))
    user, item = (part.astype(np.int32) for part in np.divmod(pairs, items))
    row = np.repeat(np.arange(items), PER_ITEM)
    ones = np.ones(len(row), np.float32)
    attributes = sparse.csr_matrix((ones, (row, rng.integers(ATTRIBUTES, size=len(row)))), shape=(items, ATTRIBUTES))
    return Task(user, item, users, items, np.arange(users, dtype=np.int32), {}, threads, attributes)


def _seconds(*sides: list[Fit]) -> list[list[float]]:
    return [[float(fit.seconds[-1]) for fit in side] for side in sides]
