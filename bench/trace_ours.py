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
from recsys.models.base import Recommender, State
from recsys.models.table import create
from recsys.tuning.trial import search_scoring


def run(task: Task) -> Fit:
    """Warm up, fit, make lists after each epoch; for the test, search what acts only when scoring."""
    torch.set_num_threads(task.threads)
    data, name = dataset(task), task.params["model"]
    create(name, {"epochs": 1}).fit(dataset(task.sample()))
    model = create(name, seed=task.params["seed"])

    def of(other: Task) -> np.ndarray:
        return lists(model, dataset(other).interactions, other.users)

    def on_epoch(epoch: int, model: Recommender) -> bool:
        return watch.epoch(of, model.state)

    def restore(state: State) -> None:
        # What acts only when scoring is searched on the fitted model, as in every trial of the product.
        model.load(state)
        search_scoring(model, lambda model: watch.worth(of), watch.worth(of))

    watch = Watch(task)
    model.fit(data, on_epoch)  # type: ignore[call-arg]  # a model with epochs is EpochTrained
    return watch.fit(of, restore, "torch", "numpy", "scipy")


if __name__ == "__main__":
    main(run)
