"""ease beside RecTools' EASEModel: the same scores from the same λ, in less time and memory.

Ours runs as the paper has it (no recency, no weights of users), since that is what the peer computes. Scores are
compared for the first JUDGED validation users over the whole catalogue.
"""

from functools import partial

import numpy as np

from bench import sets
from bench.exchange import Fit
from bench.paired import alternate, versions
from bench.results import Figure, Options, Result
from bench.runner import fit_ours, fit_peer

SETS = ("yelp", "ml-1m", "synthetic")
REG = 500.0
"""λ: the peer's default."""
PAPER = {"reg": REG, "user_norm": 0.0, "fit_half_life": 0.0, "half_life": 0.0}
JUDGED = 500


def measure(name: str, options: Options) -> Result:
    """Fit both on train, compare scores, seconds and memory."""
    task = partial(sets.validation(sets.load(name), most=JUDGED).task, options.threads)
    ours, peer = alternate(
        options.runs,
        lambda run: fit_ours(task(model="ease", config=PAPER, scores=True)),
        lambda run: fit_peer("rectools_ease", task(regularization=REG)),
    )
    differences = [difference(*pair) for pair in zip(ours, peer, strict=True)]
    figures = [
        Figure("largest difference of scores, over the largest score", differences, most=1e-4),
        Figure("fit", *([float(fit.seconds[-1]) for fit in side] for side in (ours, peer)), most=0.6, unit="s"),
        Figure("memory of the fit", *([fit.memory_mib for fit in side] for side in (ours, peer)), most=0.6, unit="MiB"),
    ]
    return Result("ease", name, figures, versions(ours[0].versions, peer[0].versions), {"reg": REG})


def difference(ours: Fit, peer: Fit) -> float:
    """max |a − b| / max |b| over the scores of both."""
    a, b = ours.extra["scores"], peer.extra["scores"]
    return float(np.abs(a - b).max() / np.abs(b).max())
