"""Judging honestly: which model of a registered bundle may be scored on a new test, over the new catalogue."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recsys.data.dataset import Dataset, Split
from recsys.data.idmap import UNKNOWN
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, iso
from recsys.models.base import Recommender
from recsys.serving.bundle import Bundle


@dataclass(frozen=True, eq=False)
class Rebased:
    """A scorer over the items of `new` by a model that was fitted over those of `old`.

    Items of a history that the model never met are left out of it; those of the catalogue score below all others.
    Attributes of users are matched by name.
    """

    model: Recommender
    old: Dataset
    new: Dataset

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items of new] float32, finite."""
        row = self.old.items.rows(self.new.items.values)  # [n_items of new]
        met = row[history.item] != UNKNOWN
        events = Interactions.build(
            history.user[met],
            row[history.item[met]],
            history.time[met],
            history.weight[met],
            n_users=history.n_users,
            n_items=len(self.old.items),
            features=self._features(history),
        )
        scores = self.model.score(events)
        lowest = scores.min(axis=1, keepdims=True)
        rebased = np.repeat(lowest - 1 - 1e-3 * np.abs(lowest), len(row), axis=1).astype(np.float32)
        rebased[:, row != UNKNOWN] = scores[:, row[row != UNKNOWN]]
        return rebased

    def _features(self, history: Interactions) -> sparse.csr_matrix | None:
        """[B, features of old]: columns of the same name, empty where there is none."""
        if self.old.interactions.features is None:
            return None
        new = {name: column for column, name in enumerate(self.new.user_feature_names)}
        pairs = [(new[name], column) for column, name in enumerate(self.old.user_feature_names) if name in new]
        rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        shape = (len(new), len(self.old.user_feature_names))
        selector = sparse.csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=shape)
        given = np.zeros((history.n_users, len(new)), np.float32) if history.features is None else history.features
        return sparse.csr_matrix(given @ selector, dtype=np.float32)


def comparable(bundle: Bundle, split: Split, method: str) -> tuple[Rebased | None, str]:
    """The model of a bundle that never saw the test of a split: its serving one, else its evaluated one, else none.

    A model saw the test when one of its training events is a (user, item) pair of the test's truth, by raw ids; or,
    where a split by time says what is future, when one lies in the test window.

    Args:
        bundle: of the champion, say.
        split: whose test is to be scored.
        method: of the split: time, leave_last, ratio.

    Returns:
        The model over the items of the split, and in words which one it is or why there is none.
    """
    log, known = bundle.data.interactions, bundle.in_evaluated
    refit = bundle.manifest.fitted_on == "all"
    seen = _seen(bundle, log if refit else log.where(known), split, method)
    if not seen:
        return Rebased(bundle.serving, bundle.data, split.data), "its serving model, which never saw the test"
    seen_too = _seen(bundle, log.where(known), split, method) if refit else seen
    if not seen_too:
        return (
            Rebased(bundle.evaluated, bundle.data, split.data),
            f"its evaluated model, because the serving one was trained on the test: {seen}",
        )
    return None, f"it was trained on the test, even as it was evaluated: {seen_too}"


def _seen(bundle: Bundle, trained: Interactions, split: Split, method: str) -> str:
    """How far training events reach into the test, in words; empty where they do not."""
    truth = split.test.truth
    # Rows of the holdout are users with test events, in ascending order.
    users = np.flatnonzero(split.test_events.lengths)
    user = bundle.data.users.rows(split.data.users.values[users])[truth.user]
    item = bundle.data.items.rows(split.data.items.values)[truth.item]
    both = (user != UNKNOWN) & (item != UNKNOWN)
    pairs = user[both] * trained.n_items + item[both]
    overlap = int(np.isin(pairs, trained.pairs).sum())
    if overlap:
        return f"{overlap} of {len(truth)} test events"
    start = int(split.test_events.time.min())
    late = trained.time >= start
    if method == "time" and late.any():
        last = int(trained.time.max())
        return f"{int(late.sum())} events up to {iso(last)}, and the test begins at {iso(start)}"
    return ""
