"""Histories as parallel arrays: who, what, when, how much; sorted by user, then time."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from recsys.data.schema import FloatArray, IntArray, RowArray

OLDEST = 60.0
"""Half-lives after which an event grows no older: none is forgotten altogether, so that weights can be divided by."""


@dataclass(frozen=True, eq=False)
class Interactions:
    """Events of B users over a catalogue of n items, as row numbers.

    The same type is a training log, one user's history, and a batch of a thousand: a model scores any of them.
    Rows of users without events are legal.
    """

    user: RowArray
    """[N] int32, sorted; 0 ≤ user < n_users."""
    item: RowArray
    """[N] int32; 0 ≤ item < n_items."""
    time: IntArray
    """[N] int64, seconds; non-decreasing within a user."""
    weight: FloatArray
    """[N] float32 > 0; how much an event says."""
    n_users: int
    n_items: int
    features: sparse.csr_matrix | None = None
    """[n_users, n_user_features] float32: attributes of the users, where there are any."""

    @classmethod
    def build(
        cls,
        user: Any,
        item: Any,
        time: Any = None,
        weight: Any = None,
        *,
        n_users: int,
        n_items: int,
        features: sparse.csr_matrix | None = None,
    ) -> "Interactions":
        """Sort events by user, then time (stable: ties keep the order given) and check ranges.

        Without times the order given is the order in time; without weights every event weighs 1.

        Raises:
            ValueError: arrays differ in length, or a row number is out of range.
        """
        user, item = np.asarray(user, np.int32), np.asarray(item, np.int32)
        when = np.arange(len(user), dtype=np.int64) if time is None else np.asarray(time, np.int64)
        how_much = np.ones(len(user), np.float32) if weight is None else np.asarray(weight, np.float32)
        if not len(user) == len(item) == len(when) == len(how_much):
            raise ValueError(f"arrays differ in length: {len(user)=} {len(item)=} {len(when)=} {len(how_much)=}")
        for name, rows, limit in (("user", user, n_users), ("item", item, n_items)):
            if len(rows) and (rows.min() < 0 or rows.max() >= limit):
                raise ValueError(f"{name} rows must be in [0, {limit}); seen {rows.min()} to {rows.max()}")
        if features is not None and features.shape[0] != n_users:
            raise ValueError(f"features have {features.shape[0]} rows for {n_users} users")
        order = np.lexsort((when, user))
        return cls(user[order], item[order], when[order], how_much[order], n_users, n_items, features)

    @classmethod
    def of_histories(cls, histories: list[list[int]], n_items: int) -> "Interactions":
        """From one list of item rows a user, oldest first."""
        user = np.repeat(np.arange(len(histories)), [len(items) for items in histories])
        item = np.array([row for items in histories for row in items], dtype=np.int32)
        return cls.build(user, item, n_users=len(histories), n_items=n_items)

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def lengths(self) -> IntArray:
        """[n_users] int64: events per user."""
        return np.bincount(self.user, minlength=self.n_users).astype(np.int64)

    @cached_property
    def indptr(self) -> IntArray:
        """[n_users + 1] int64: user u's events are at indptr[u]:indptr[u + 1]."""
        return np.concatenate(([0], np.cumsum(self.lengths)))

    @property
    def pairs(self) -> IntArray:
        """[N] int64: user · n_items + item, one number for each pair of the two."""
        return self.user.astype(np.int64) * self.n_items + self.item

    @cached_property
    def age(self) -> IntArray:
        """[N] int64: how many events of the same user came later; 0 for a user's last event."""
        return self.indptr[self.user.astype(np.int64) + 1] - 1 - np.arange(len(self))

    @cached_property
    def is_dated(self) -> bool:
        """Whether times say which of two users' events came first; not where more than half begin at the same time.

        Times are places in a history then, as in logs that were published without their dates.
        """
        begun = self.time[self.indptr[:-1][self.lengths > 0]]
        together = np.unique(begun, return_counts=True)[1].max(initial=0)
        return bool(together <= max(1, len(begun) / 2))

    def recency(self, half_life: float) -> FloatArray:
        """[N] float32: `weight * 2 ** (-age / half_life)`; half_life in events, 0 = all events count alike."""
        if half_life <= 0:
            return self.weight
        return (self.weight * np.exp2(-self.age / half_life)).astype(np.float32)

    def freshness(self, half_life: float) -> FloatArray:
        """[N] float32: the same with age and half_life as shares of the time that all events span.

        `weight` as it is where the log is not dated: the longest history would be the newest.
        """
        if half_life <= 0 or not len(self) or not self.is_dated:
            return self.weight
        halvings = (self.time.max() - self.time) / (half_life * max(1, int(np.ptp(self.time))))
        fresh: FloatArray = (self.weight * np.exp2(-np.minimum(halvings, OLDEST))).astype(np.float32)
        return fresh

    def matrix(self, weight: FloatArray | None = None) -> sparse.csr_matrix:
        """[n_users, n_items] float32 CSR; repeated pairs add up."""
        values = self.weight if weight is None else weight
        shape = (self.n_users, self.n_items)
        matrix = sparse.csr_matrix((values, self.item.astype(np.int32), self.indptr), shape=shape, copy=True)
        matrix.sum_duplicates()
        return matrix

    def sequences(self, max_len: int) -> RowArray:
        """[n_users, max_len] int32: last items, oldest first, padded in front with n_items."""
        out = np.full((self.n_users, max_len), self.n_items, dtype=np.int32)
        recent = self.age < max_len
        out[self.user[recent], max_len - 1 - self.age[recent]] = self.item[recent]
        return out

    def select(self, users: Any) -> "Interactions":
        """Histories of these users, in this order: row b of the result is users[b]. A user may stand twice."""
        users = np.asarray(users, dtype=np.int64)
        lengths = self.lengths[users]
        ends = np.cumsum(lengths)
        take = np.repeat(self.indptr[users] - (ends - lengths), lengths) + np.arange(int(lengths.sum()))
        return Interactions(
            np.repeat(np.arange(len(users), dtype=np.int32), lengths),
            self.item[take],
            self.time[take],
            self.weight[take],
            len(users),
            self.n_items,
            None if self.features is None else self.features[users],
        )

    def where(self, keep: Any) -> "Interactions":
        """Only the events where keep [N] is true; the users stay."""
        return replace(self, user=self.user[keep], item=self.item[keep], time=self.time[keep], weight=self.weight[keep])

    def union(self, other: "Interactions") -> "Interactions":
        """Events of both, over the same users and items."""
        if (self.n_users, self.n_items) != (other.n_users, other.n_items):
            raise ValueError(f"shapes differ: {self.n_users} × {self.n_items} and {other.n_users} × {other.n_items}")
        pairs = [
            np.concatenate((getattr(self, name), getattr(other, name))) for name in ("user", "item", "time", "weight")
        ]
        features = self.features
        return Interactions.build(*pairs, n_users=self.n_users, n_items=self.n_items, features=features)
