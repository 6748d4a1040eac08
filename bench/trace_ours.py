"""Fit a candidate of the product that trains in epochs, watched after every one: `python -m bench.trace_ours IN OUT`.

Reads of `task.params`, beside what `bench.watch` reads:
    model: name of the candidate, fitted with its defaults.
    seed: of the model.
"""

import numpy as np
import torch

from bench.exchange import Fit, Task, main
from bench.fit_ours import dataset, lists
from bench.watch import Watch
from recsys.models.base import Recommender
from recsys.models.table import create


def run(task: Task) -> Fit:
    """Warm up, fit, make lists after each epoch."""
    torch.set_num_threads(task.threads)
    data, name = dataset(task), task.params["model"]
    create(name, {"epochs": 1}).fit(dataset(task.sample()))
    model = create(name, seed=task.params["seed"])

    def of(other: Task) -> np.ndarray:
        return lists(model, dataset(other).interactions, other.users)

    def on_epoch(epoch: int, model: Recommender) -> bool:
        return watch.epoch(of, model.state)

    watch = Watch(task)
    model.fit(data, on_epoch)  # type: ignore[call-arg]  # a model with epochs is EpochTrained
    return watch.fit(of, model.load, "torch", "numpy", "scipy")


if __name__ == "__main__":
    main(run)
