"""RecTools' EASEModel: `python -m bench.peers.rectools_ease IN OUT`.

Reads of `task.params`:
    regularization: of the model.
Gives the extra `scores` [U, n_items] float32; items without events score 0.
"""

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel

from bench.exchange import Fit, Stopwatch, Task, best_unseen, main


def run(task: Task) -> Fit:
    """Warm up, fit, score."""
    data, X = dataset(task), task.matrix()[task.users]
    EASEModel().fit(dataset(task.sample()))
    model = EASEModel(regularization=task.params["regularization"])

    def scores() -> np.ndarray:
        rows = np.asarray(data.item_id_map.external_ids, np.int64)  # of the items it knows: those with events
        scores = np.zeros(X.shape, np.float32)
        scores[:, rows] = X[:, rows] @ model.weight
        return scores

    watch = Stopwatch()
    model.fit(data)
    watch.checkpoint(lambda: best_unseen(scores(), X))
    return watch.fit("rectools", "numpy", "scipy", scores=scores())


def dataset(task: Task) -> Dataset:
    """The log as the peer's own type."""
    columns = {Columns.User: task.user, Columns.Item: task.item, Columns.Weight: 1.0, Columns.Datetime: 0}
    return Dataset.construct(pd.DataFrame(columns))


if __name__ == "__main__":
    main(run)
