"""Fit any candidate of the product on a task: `python -m bench.fit_ours IN OUT`.

Reads of `task.params`:
    model: name of the candidate.
    config: its parameters, defaults for the rest.
    every: checkpoint each so many epochs (label `epoch`); without it one, at the end.
    half_lives: at the end one checkpoint for each of these instead (label `half_life`), at the same second.
    seconds: after which a training in epochs stops at the next checkpoint.
    seed: of the model.
    scores: true gives the extra `scores` [U, n_items] float32 of the fitted model.
"""

from typing import Any

import numpy as np
import torch

from bench.exchange import DEPTH, Fit, Stopwatch, Task, main
from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.metrics.top_k import top_k
from recsys.models.base import Recommender
from recsys.models.table import TABLE, create

BLOCK = 500
"""Users scored at a time."""


def run(task: Task) -> Fit:
    """Warm up, fit, make lists at each checkpoint."""
    torch.set_num_threads(task.threads)
    params, data, users = task.params, dataset(task), task.users
    log, every, half_lives = data.interactions, params.get("every"), params.get("half_lives")
    name, config, seed = params["model"], params.get("config", {}), params.get("seed", 0)
    in_epochs = "epochs" in TABLE[name].Config.model_fields
    create(name, {**config, "epochs": 1} if in_epochs else config).fit(dataset(task.sample()))
    model = create(name, config, seed=seed)
    label = {"epoch": model.config.epochs} if in_epochs else {}

    def checkpoint(**label: Any) -> None:
        watch.checkpoint(lambda: lists(model, log, users), **label)

    def on_epoch(epoch: int, model: Recommender) -> bool:
        at_the_end = half_lives and epoch == label["epoch"]
        if epoch % every:
            return False
        if not at_the_end:
            checkpoint(epoch=epoch)
        return watch.elapsed > params.get("seconds", np.inf)

    watch = Stopwatch()
    model.fit(data, on_epoch) if every else model.fit(data)
    fitted = model.config
    for half_life in half_lives or ():
        model.config = fitted.model_copy(update={"half_life": half_life})
        checkpoint(**label, half_life=half_life)
    if not (every or half_lives):
        checkpoint(**label)
    extra = {"scores": model.score(log.select(users))} if params.get("scores") else {}
    return watch.fit("torch", "numpy", "scipy", **extra)


def dataset(task: Task) -> Dataset:
    """The log of a task as the product's type; ids are row numbers."""
    time = np.zeros(len(task.user), np.int64) if task.time is None else task.time
    log = Interactions.build(
        task.user, task.item, time, n_users=task.n_users, n_items=task.n_items, features=task.user_features
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
