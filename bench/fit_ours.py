"""Fit any candidate of the product on a task: `python -m bench.fit_ours IN OUT`.

Reads of `task.params`:
    model: name of the candidate.
    config: its parameters, defaults for the rest.
    every: checkpoint each so many epochs (label `epoch`); without it one, at the end.
    half_lives: at the end one checkpoint for each of these instead (label `half_life`), at the same second.
    seconds: after which a training in epochs stops at the next checkpoint.
    seed: of the model.
"""

import numpy as np
import torch

from bench.exchange import DEPTH, Fit, Stopwatch, Task, main
from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.metrics.top_k import top_k
from recsys.models.base import Recommender
from recsys.models.table import create

BLOCK = 500
"""Users scored at a time."""


def run(task: Task) -> Fit:
    """Warm up, fit, make lists at each checkpoint."""
    torch.set_num_threads(task.threads)
    params = task.params
    data, users = dataset(task), task.users
    log, every, half_lives = data.interactions, params.get("every"), params.get("half_lives")
    make = lambda config: create(params["model"], config, seed=params.get("seed", 0))  # noqa: E731  # short and local
    model = make(params.get("config"))
    in_epochs = "epochs" in model.Config.model_fields
    warm = dataset(task.sample())
    make({**params.get("config", {}), **({"epochs": 1} if in_epochs else {})}).fit(warm)

    watch = Stopwatch()

    def on_epoch(epoch: int, model: Recommender) -> bool:
        last = epoch == model.config.epochs
        if epoch % every == 0 and not (last and half_lives):
            watch.checkpoint(lambda: lists(model, log, users), epoch=epoch)
        return watch.elapsed > params.get("seconds", np.inf)

    if in_epochs and every:
        model.fit(data, on_epoch)
    else:
        model.fit(data)
    label = {"epoch": model.config.epochs} if in_epochs else {}
    if half_lives:
        fitted = model.config
        for half_life in half_lives:
            model.config = fitted.model_copy(update={"half_life": half_life})
            watch.checkpoint(lambda: lists(model, log, users), **label, half_life=half_life)
    elif not every:
        watch.checkpoint(lambda: lists(model, log, users), **label)
    return watch.fit("torch", "numpy", "scipy")


def dataset(task: Task) -> Dataset:
    """The log of a task as the product's type; ids are row numbers."""
    log = Interactions.build(
        task.user, task.item, n_users=task.n_users, n_items=task.n_items, features=task.user_features
    )
    names = [
        () if matrix is None else tuple(f"{kind}-{column}" for column in range(matrix.shape[1]))
        for kind, matrix in (("user", task.user_features), ("item", task.item_features))
    ]
    return Dataset(log, IdMap(np.arange(task.n_users)), IdMap(np.arange(task.n_items)), task.item_features, *names)


def lists(model: Recommender, log: Interactions, users: np.ndarray) -> np.ndarray:
    """[U, DEPTH] int32: the best unseen items of these users."""
    blocks = [log.select(users[start : start + BLOCK]) for start in range(0, len(users), BLOCK)]
    return np.concatenate([top_k(model.score(block), block, DEPTH)[0] for block in blocks])


if __name__ == "__main__":
    main(run)
