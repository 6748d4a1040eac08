"""Fit LightFM, a hybrid matrix factorization over features: `python -m bench.peers.lightfm_features IN OUT`.

Kula, "Metadata Embeddings for User and Item Cold-start Recommendations", CBRecSys 2015, trained on WARP. Users and
items are the sum of the vectors of their attributes and of one of their own, rows brought to sum 1 as the library's
own data set class does. An item without events is described by its attributes alone: a vector of its own would be
the noise that it started from. From the fork that RecTools depends on, compiled where it is installed.

Reads of `task.params`:
    config: `epochs`, passes over the log; `no_components`, `learning_rate` and other arguments of LightFM.
    every: checkpoint each so many epochs (label `epoch`); without it one, at the end.
    seconds: after which the training stops at the next checkpoint.
    seed: of the model.
    among: item rows; at the end the best `depth` of them alone come back as extra "among" [U, depth].
"""

import numpy as np
from lightfm import LightFM
from scipy import sparse

from bench.exchange import Fit, Stopwatch, Task, main
from bench.peers import factors


def run(task: Task) -> Fit:
    """Warm up, fit, make lists at each checkpoint."""
    params, log = task.params, task.matrix()
    config = dict(params["config"])
    epochs = config.pop("epochs")
    user_features = described(task.user_features, np.arange(task.n_users), task.n_users)
    item_features = described(task.item_features, np.unique(task.item), task.n_items)
    features = {"user_features": user_features, "item_features": item_features}

    def model() -> LightFM:
        return LightFM(loss="warp", random_state=params.get("seed", 0), **config)

    def vectors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        biases, items = fitted.get_item_representations(item_features)
        return fitted.get_user_representations(user_features)[1], items, biases

    warm = task.sample().matrix()
    model().fit_partial(warm, **features, epochs=1, num_threads=task.threads)
    fitted = model()
    every = params.get("every", epochs)
    watch = Stopwatch()
    for epoch in range(every, epochs + 1, every):
        fitted.fit_partial(log, **features, epochs=every, num_threads=task.threads)
        watch.checkpoint(lambda: factors.lists(task, *vectors()), epoch=epoch)
        if watch.elapsed > params.get("seconds", np.inf):
            break
    extra = {}
    if "among" in params:
        extra["among"] = factors.best_among(task, np.array(params["among"]), params["depth"], *vectors())
    return watch.fit("rectools-lightfm", "numpy", "scipy", **extra)


def described(attributes: sparse.csr_matrix | None, known: np.ndarray, n: int) -> sparse.csr_matrix:
    """[n, n + attributes] float32: one column for each row in `known`, then the attributes; rows sum to 1."""
    own = sparse.csr_matrix((np.ones(len(known), np.float32), (known, known)), shape=(n, n))
    both = own if attributes is None else sparse.hstack((own, attributes), format="csr")
    total = np.asarray(both.sum(1)).ravel()
    scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    return sparse.csr_matrix(sparse.diags_array(scale) @ both, dtype=np.float32)


if __name__ == "__main__":
    main(run)
