"""Mult-VAE against that of RecBole at its defaults; 2048 users a batch, its default, and 256 are tried."""

from bench import traced
from bench.results import Options, Result
from bench.traced import Contest, Settings

SETS = ("lastfm", "ml-100k", "ml-1m", "yelp")


def _settings(name: str) -> list[Settings]:
    """RecBole's 300 epochs and stopping after 10 without a new best."""
    return [{"config": {"train_batch_size": users}, "epochs": 300, "patience": 10} for users in (2048, 256)]


def measure(name: str, options: Options) -> Result:
    """Trace both on a set."""
    return traced.measure(Contest("multvae", "recbole_multvae", _settings, time_ratio=0.3), name, options)
