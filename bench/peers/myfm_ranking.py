"""Fit a libFM-class factorization machine: `python -m bench.peers.myfm_ranking IN OUT`.

myFM is libFM's Gibbs sampler (Rendle, "Factorization Machines with libFM", ACM TIST 2012; Freudenthaler et al. 2011)
in C++, in the block structure of Rendle, "Scaling Factorization Machines to Relational Data", VLDB 2013. Chosen over
libFM itself, which is a program and no package, and over RecBole's FM, which trains the same equation by SGD: Bayesian
libFM has no learning rate or regularisation to be wrong about, and is the strongest of its kind on ratings in Rendle,
Zhang & Koren, "On the Difficulty of Evaluating Baselines", 2019.

Ranking from implicit feedback: every event is a positive, `negatives` unseen items drawn uniformly for each are its
negatives, the classifier is a probit. Features: user, user attributes, item, item attributes. A list ranks by the
mean over posterior samples of the machine's output, without the terms that are the same for all items.

Reads of `task.params`:
    config: `epochs`, iterations of the sampler; `negatives` a positive; `rank` and other arguments of
        MyFMGibbsClassifier.
    every: checkpoint each so many iterations (label `epoch`); without it one, at the end.
    seconds: after which the sampling stops at the next checkpoint.
    seed: of the sampler and of the negatives.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from myfm import MyFMGibbsClassifier, RelationBlock
from myfm._myfm import FM
from scipy import sparse

from bench.exchange import Fit, Stopwatch, Task, main
from bench.peers import factors

SAMPLES = 10
"""Latest samples that a list is the mean of."""
REDRAWS = 5
"""Times that negatives which the user has met are drawn again; a few that are left do no harm."""


def run(task: Task) -> Fit:
    """Warm up, fit, make lists at each checkpoint."""
    params, epochs = task.params, task.params["config"]["epochs"]
    every = params.get("every", epochs)
    users, items = parts(task)
    samples: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=SAMPLES)

    def lists() -> np.ndarray:
        user, item, bias = zip(*(vectors(w, V, users, items) for w, V in samples), strict=True)
        return factors.lists(task, np.hstack(user), np.hstack(item), np.sum(bias, axis=0))

    def after(iteration: int, machine: FM, *_: object) -> tuple[bool, str | None]:
        samples.append((np.array(machine.w), np.array(machine.V)))
        if (iteration + 1) % every:
            return False, None
        watch.checkpoint(lists, epoch=iteration + 1)
        return watch.elapsed > params.get("seconds", np.inf), None

    fit(task.sample(), 1)
    watch = Stopwatch()
    fit(task, epochs, after)
    return watch.fit("myfm", "numpy", "scipy")


def fit(task: Task, iterations: int, after: Callable[..., tuple[bool, str | None]] | None = None) -> None:
    """Sample that many times; `after(iteration, machine, …)` is called after each, and true first ends it."""
    seed, config = task.params.get("seed", 0), dict(task.params["config"])
    del config["epochs"]
    negatives = config.pop("negatives")
    item, positive = with_negatives(task, negatives, np.random.default_rng(seed))
    users, items = parts(task)
    blocks = [RelationBlock(np.repeat(task.user, 1 + negatives), users), RelationBlock(item, items)]
    nothing = sparse.csr_matrix((len(item), 0))  # all features stand in the blocks
    machine = MyFMGibbsClassifier(random_seed=seed, **config)
    machine.fit(nothing, positive, X_rel=blocks, n_iter=iterations, n_kept_samples=1, callback=after)


def with_negatives(task: Task, negatives: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Items [N · (1 + negatives)], each event's own first, and whether they are positive."""
    drawn = rng.integers(0, task.n_items, (len(task.item), negatives))
    seen = np.sort(task.user.astype(np.int64) * task.n_items + task.item)
    for _ in range(REDRAWS):
        pair = task.user[:, None].astype(np.int64) * task.n_items + drawn
        clash = seen[np.minimum(np.searchsorted(seen, pair), len(seen) - 1)] == pair
        drawn[clash] = rng.integers(0, task.n_items, int(clash.sum()))
    items = np.hstack((task.item[:, None], drawn))
    positive = np.zeros(items.shape, dtype=bool)
    positive[:, 0] = True
    return items.ravel(), positive.ravel()


def parts(task: Task) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Features of users [n_users, ·] and of items [n_items, ·]: one column each, then the attributes."""
    users, items = (
        sparse.hstack([sparse.eye_array(n)] + ([] if known is None else [known]), format="csr")
        for n, known in ((task.n_users, task.user_features), (task.n_items, task.item_features))
    )
    return users, items


def vectors(
    w: np.ndarray, V: np.ndarray, users: sparse.csr_matrix, items: sparse.csr_matrix
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sample as q [n_users, d], p [n_items, d] and b [n_items]: it ranks items i for user u by ⟨q_u, p_i⟩ + b_i.

    b holds the item's linear terms and the pairs among its own features.
    """
    of_users, of_items = V[: users.shape[1]], V[users.shape[1] :]
    p = items @ of_items
    pairs = 0.5 * ((p**2).sum(1) - items.power(2) @ (of_items**2).sum(1))
    bias = items @ w[users.shape[1] :] + pairs
    return (users @ of_users).astype(np.float32), p.astype(np.float32), bias.astype(np.float32)


if __name__ == "__main__":
    main(run)
