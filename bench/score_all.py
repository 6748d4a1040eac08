"""Score and rank everybody, by the product or bare, in a process of its own: `python -m bench.score_all IN OUT`.

Reads of `task.params`:
    model: a factor model of the product; its vectors are random, since what they hold changes no cost.
    d: length of its vectors.
    bare: true does without the product: user vectors are given, a block is one matrix product and one `torch.topk`.
"""

import ctypes
from collections.abc import Callable

import numpy as np
import torch

from bench.exchange import DEPTH, Fit, Stopwatch, Task, main
from bench.fit_ours import dataset
from recsys.metrics.recommend import blocks, recommend
from recsys.models.base import Recommender
from recsys.models.table import TABLE, create

Rank = Callable[[np.ndarray], np.ndarray]
"""Users [U] -> their lists [U, DEPTH]."""
WIDTHS = {"als": "factors", "fm": "width"}
"""What a model calls the length of its vectors."""


def run(task: Task) -> Fit:
    """Warm up on a few users, which takes what a model derives from its vectors once, then make everybody's lists."""
    torch.set_num_threads(task.threads)
    rank = bare(task) if task.params["bare"] else product(task)
    rank(task.users[:5])
    # What was freed so far goes back to the system: else lists would be made in it, and seem to need no memory.
    ctypes.CDLL(None).malloc_trim(0)
    watch = Stopwatch()
    top = rank(task.users)
    watch.checkpoint(lambda: top)
    return watch.fit("torch", "numpy", "scipy")


def product(task: Task) -> Rank:
    """The whole path: history, user vectors, scores, seen items out, lists with ties in order."""
    log, model = dataset(task).interactions, random_model(task)

    def rank(users: np.ndarray) -> np.ndarray:
        # The log of all users is their history; a copy of it is no memory of ranking.
        return recommend(model, log if len(users) == log.n_users else log.select(users), DEPTH)[0]

    return rank


def bare(task: Task) -> Rank:
    """The least that gives lists, in blocks as large as the product's."""
    generator = torch.Generator().manual_seed(0)
    U, V = (torch.randn(rows, task.params["d"], generator=generator) for rows in (task.n_users, task.n_items))

    def rank(users: np.ndarray) -> np.ndarray:
        parts = [torch.topk(U[rows] @ V.T, DEPTH).indices for rows in map(torch.from_numpy, blocks(len(users), len(V)))]
        return torch.cat(parts).numpy()

    return rank


def random_model(task: Task) -> Recommender:
    """A model of the product over the whole catalogue, fitted on a few users, its matrices then drawn at random."""
    name, rng = task.params["model"], np.random.default_rng(0)
    config = {WIDTHS[name]: task.params["d"], "epochs": 1}
    state = create(name, config).fit(dataset(task.sample())).state()
    drawn = {key: rng.standard_normal(a.shape, np.float32) if a.ndim == 2 else a for key, a in state.items()}
    return TABLE[name](TABLE[name].Config(**config)).load(drawn)


if __name__ == "__main__":
    main(run)
