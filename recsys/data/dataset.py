"""What a model is fitted on: a log, its id maps and the features of users and items."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class Dataset:
    """A log with its id maps; the item map comes from the catalogue, so a cold item has a row.

    User features travel with the interactions, because a history brings its own.
    """

    interactions: Interactions
    users: IdMap
    items: IdMap
    item_features: sparse.csr_matrix | None = None
    """[n_items, n_item_features] float32, where there are any."""
    user_feature_names: tuple[str, ...] = ()
    item_feature_names: tuple[str, ...] = ()

    def with_interactions(self, interactions: Interactions) -> "Dataset":
        """The same users and catalogue with another log (a part of a split, say)."""
        return replace(self, interactions=interactions)


@dataclass(frozen=True, eq=False)
class Holdout:
    """Users to be judged on: what was known of them, and what they did next.

    Both have one row a user, in the same order; `truth` holds no item that is in `history`.
    """

    history: Interactions
    truth: Interactions

    def __len__(self) -> int:
        return self.history.n_users

    def select(self, rows: object) -> "Holdout":
        """Only these rows of the holdout."""
        return Holdout(self.history.select(rows), self.truth.select(rows))

    def sample(self, most: int, seed: int) -> "Holdout":
        """Of the users whose truth is not empty a seeded sample, or all where they are no more than `most`."""
        judged = np.flatnonzero(self.truth.lengths)
        if len(judged) > most:
            judged = np.sort(np.random.default_rng(seed).choice(judged, most, replace=False))
        return self.select(judged)


@dataclass(frozen=True, eq=False)
class Split:
    """One log in three parts, over the same users and items.

    Models are tuned on train and judged on `validation`; refit on `fit_for_test` and judged once on `test`.
    """

    data: Dataset
    """The whole log: what a winner is refit on before it serves."""
    train: Interactions
    validation_events: Interactions
    test_events: Interactions
    validation: Holdout
    test: Holdout

    @property
    def for_validation(self) -> Dataset:
        """What models judged on validation may see."""
        return self.data.with_interactions(self.train)

    @property
    def for_test(self) -> Dataset:
        """What models judged on test may see: train and validation."""
        return self.data.with_interactions(self.train.union(self.validation_events))
