"""Non-negative weights by maximum likelihood: a conditional logit over each user's pool.

McFadden, "Conditional logit analysis of qualitative choice behavior", 1974: the probability that user u takes item i is
exp(Σ_m w_m z_uim) / Σ_j exp(Σ_m w_m z_ujm); the log-likelihood is concave in w, and w ≥ 0 keeps every member honest.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from recsys.data.schema import FloatArray
from recsys.hybrid.pool import Pool

DoubleArray = npt.NDArray[np.float64]


def fit_weights(
    pool: Pool, features: FloatArray, *, prior: FloatArray | None = None, strength: float | FloatArray = 0.0
) -> FloatArray:
    """Weights [F] ≥ 0 that maximise the mean log-likelihood of what users took of their candidates.

    features [C, F]. Users who took none of them say nothing. With a prior, `strength` pseudo-users, one number or
    [F], pull towards it: a segment with few users stays near the weights of all.
    """
    n_taken = np.bincount(pool.user[pool.relevant], minlength=pool.n_users)
    answerable = n_taken > 0
    if not answerable.any():
        return np.full(features.shape[1], 0.5, np.float32) if prior is None else prior
    keep = answerable[pool.user]
    n_users = int(answerable.sum())
    user = (np.cumsum(answerable) - 1)[pool.user[keep]]  # [C'], renumbered
    X = features[keep].astype(np.float64)
    start = np.searchsorted(user, np.arange(n_users))
    taken = pool.relevant[keep] / n_taken[answerable][user]  # a user's items share one vote
    observed = taken @ X
    anchor = np.zeros(X.shape[1]) if prior is None else prior.astype(np.float64)

    def loss(w: DoubleArray) -> tuple[float, DoubleArray]:
        s = X @ w
        s -= np.maximum.reduceat(s, start)[user]
        e = np.exp(s)
        total = np.add.reduceat(e, start)
        likelihood = taken @ s - np.log(total).sum()
        gradient = observed - X.T @ (e / total[user])
        pull = w - anchor
        value = -likelihood + 0.5 * (strength * pull) @ pull
        return float(value) / n_users, (-gradient + strength * pull) / n_users

    first = np.full(X.shape[1], 0.5) if prior is None else anchor
    result = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * X.shape[1])
    return np.asarray(result.x, dtype=np.float32)
