"""implicit's AlternatingLeastSquares: `python -m bench.peers.implicit_als IN OUT`.

Reads of `task.params`:
    config: factors, epochs (its `iterations`), regularization, alpha.
    every: checkpoint each so many iterations (label `epoch`); without it one, at the end.
    seed: of the model.
"""

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from bench.exchange import DEPTH, NO_ITEM, Fit, Stopwatch, Task, main, padded


def run(task: Task) -> Fit:
    """Warm up, fit, make lists at each checkpoint."""
    config, X = dict(task.params["config"]), task.matrix()
    epochs, history = config.pop("epochs"), X[task.users]
    every = task.params.get("every", epochs)

    def make(iterations: int) -> AlternatingLeastSquares:
        seed = task.params.get("seed", 0)
        return AlternatingLeastSquares(**config, iterations=iterations, num_threads=task.threads, random_state=seed)

    def lists() -> np.ndarray:
        items, scores = model.recommend(task.users, history, N=DEPTH)
        return padded(np.where(scores > np.finfo(np.float32).min, items, NO_ITEM))

    def callback(iteration: int, seconds: float, loss: None) -> None:
        if (iteration + 1) % every == 0:
            watch.checkpoint(lists, epoch=iteration + 1)

    with threadpool_limits(1, "blas"):  # as implicit asks: threads of its own call BLAS
        make(1).fit(task.sample().matrix(), show_progress=False)
        model = make(epochs)
        watch = Stopwatch()
        model.fit(X, show_progress=False, callback=callback)
    return watch.fit("implicit", "numpy", "scipy")


if __name__ == "__main__":
    main(run)
