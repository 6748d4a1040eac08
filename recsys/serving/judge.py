"""Judging honestly: which model of a registered bundle may be scored on a new test, over the new catalogue."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from recsys.data.dataset import Dataset, Split
from recsys.data.idmap import UNKNOWN
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, iso
from recsys.data.split import assemble
from recsys.models.base import Recommender
from recsys.serving.bundle import Bundle


@dataclass(frozen=True, eq=False)
class Rebased:
    """A scorer over the items of `new` by a model that was fitted over those of `old`.

    Items of a history that the model never met are left out of it; those of the catalogue score below all others.
    Histories come with the attributes of `old`: `as_known` gives them.
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
            features=history.features,
        )
        scores = self.model.score(events)
        lowest = scores.min(axis=1, keepdims=True)
        rebased = np.repeat(lowest - 1 - 1e-3 * np.abs(lowest), len(row), axis=1).astype(np.float32)
        rebased[:, row != UNKNOWN] = scores[:, row[row != UNKNOWN]]
        return rebased


def as_known(split: Split, old: Dataset) -> Split:
    """The split as a model that was fitted over `old` is asked for it: users come with the features of `old`.

    Whom it knows has the attributes of then: the model answers by them, and buckets have other edges in each table.
    A newcomer has those whose names are still the same.
    """
    features = _features(split.data, old)
    log, *parts = (
        replace(events, features=features)
        for events in (split.data.interactions, split.train, split.validation_events, split.test_events)
    )
    return assemble(replace(split.data, interactions=log, user_feature_names=old.user_feature_names), *parts)


def _features(new: Dataset, old: Dataset) -> sparse.csr_matrix | None:
    """[users of new, features of old]; none where `old` has none."""
    known = old.interactions.features
    if known is None:
        return None
    given, n = new.interactions.features, len(new.users)
    # Column 0 stands for names that are gone.
    nothing = sparse.csr_matrix(np.zeros((n, 1), np.float32))
    place = {name: column for column, name in enumerate(new.user_feature_names, start=1)}
    columns = [place.get(name, 0) for name in old.user_feature_names]
    by_name = sparse.hstack([nothing] if given is None else [nothing, given], format="csc")[:, columns]
    row = old.users.rows(new.users.values)
    both = sparse.vstack([known, by_name], format="csr")
    return sparse.csr_matrix(both[np.where(row != UNKNOWN, row, len(old.users) + np.arange(n))])


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
