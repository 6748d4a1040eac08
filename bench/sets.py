"""The data sets, prepared and split by the product's own code."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.exchange import Task
from recsys.config import Config, parse
from recsys.data.dataset import Dataset, Holdout, Split
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import located, prepared_set

ROOT = Path(__file__).parents[1]
STORE = ROOT / "mlruns" / "bench"
FILES = {
    "yelp": ("yelp.parquet", "yelp-items.parquet"),
    "lastfm": ("lastfm.parquet", "lastfm-items.parquet"),
    "ml-1m": ("ml-1m-sequences.parquet", None),
}
SOURCES = {
    "ml-100k": ("movielens-100k", "time"),
    "synthetic": ("synthetic?users=20000&items=12000&events=200000", "leave_last"),
}
NAMES = (*FILES, *SOURCES)
TRACED = 4000
"""Most validation users by whom a choice is made or a curve is drawn."""


class MissingSetError(Exception):
    """A data set is not on this machine; the message says where it was looked for."""


@dataclass(frozen=True, eq=False)
class Part:
    """Users to be judged, and what a model judged on them may see."""

    data: Dataset
    users: np.ndarray
    """[U] their rows in the log of `data`."""
    holdout: Holdout
    """Their histories and truths, in the same order."""

    def task(self, threads: int, **params: Any) -> Task:
        """A fit on this log, with lists for these users."""
        log = self.data.interactions
        return Task(
            log.user, log.item, log.n_users, log.n_items, self.users.astype(np.int32), params, threads,
            self.data.item_features, log.features, log.time,
        )  # fmt: skip


def folder() -> Path:
    """Where the files of the sets lie: $BENCH_DATA, or `shared/data` beside the clone."""
    return Path(os.environ.get("BENCH_DATA", ROOT.parent / "shared" / "data"))


def config_of(name: str) -> Config:
    """The least configuration of a set: its files and its split.

    Raises:
        MissingSetError: a file is missing.
    """
    if name in FILES:
        paths = [None if file is None else folder() / file for file in FILES[name]]
        for path in paths:
            if path is not None and not path.is_file():
                raise MissingSetError(f"{name}: no {path.name} in {folder()}; set BENCH_DATA to where the sets lie")
        events, items = (None if path is None else str(path) for path in paths)
        data, method = {"path": events, "items": items}, "leave_last"
    else:
        source, method = SOURCES[name]
        data = {"source": source}
    return parse({"name": name, "store": str(STORE), "data": data, "split": {"method": method}})


@lru_cache(maxsize=1)
def load(name: str) -> Split:
    """A set, prepared and split; from the store where it was prepared before.

    Raises:
        MissingSetError: a file is missing.
    """
    prepared, _ = preprocess(located(config_of(name)))
    return prepared_set(prepared).split


def validation(split: Split, most: int = TRACED) -> Part:
    """Validation users with a history, a seeded sample of them, and the train log."""
    part = _part(split.for_validation, split.validation_events.lengths, split.validation)
    chosen = np.arange(len(part.users))
    if len(chosen) > most:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, most, replace=False))
    return Part(part.data, part.users[chosen], part.holdout.select(chosen))


def test(split: Split) -> Part:
    """Test users with a history, and the log of train and validation."""
    return _part(split.for_test, split.test_events.lengths, split.test)


def _part(data: Dataset, truths: np.ndarray, holdout: Holdout) -> Part:
    """Users without history are left out: no model is asked about them, popularity answers."""
    users, known = np.flatnonzero(truths), np.flatnonzero(holdout.history.lengths)
    return Part(data, users[known], holdout.select(known))
