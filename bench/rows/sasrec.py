"""SASRec against that of RecTools with sampled softmax, at the settings its team publishes.

They are those of github.com/blondered/transformer_benchmark (arXiv 2508.06450), whose sets are of the same kinds as
ours: MovieLens-1M itself, and three review sets of the S3-Rec release, where Yelp and Last.fm come from. For these the
table of its README says 64 factors and its configs/paper/loo/s3_vanilla.yaml 256: both are tried. MovieLens-100K takes
what is published for MovieLens-1M.
"""

from typing import Any

from bench import traced
from bench.results import Options, Result
from bench.traced import Contest, Settings

SETS = ("lastfm", "ml-100k", "ml-1m", "yelp")


def _published(epochs: int, **model: Any) -> Settings:
    """What is published for all sets: 256 negatives, one head, steps of 0.001, a patience of 50 epochs."""
    return {"model": {**model, "n_heads": 1, "n_negatives": 256, "lr": 0.001}, "epochs": epochs, "patience": 50}


def _settings(name: str) -> list[Settings]:
    if name.startswith("ml-"):
        return [_published(100, n_factors=64, n_blocks=2, dropout_rate=0.1, session_max_len=200)]
    return [_published(200, n_factors=d, n_blocks=1, dropout_rate=0.2, session_max_len=50) for d in (64, 256)]


def measure(name: str, options: Options) -> Result:
    """Trace both on a set."""
    return traced.measure(Contest("sasrec", "rectools_sasrec", _settings, time_ratio=0.10), name, options)
