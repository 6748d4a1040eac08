"""The evidence hybrids are fitted on: what the members would show validation users, and what those took.

Letters: U users, M members, C candidates (user-item pairs, all users together), k list length.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from recsys.data.dataset import Holdout
from recsys.data.interactions import Interactions
from recsys.data.schema import BoolArray, FloatArray, IntArray, RowArray
from recsys.hybrid.members import Members, each_placed
from recsys.metrics.top_k import fingerprint, tie_hash

FLOOR = "popularity"
"""The member that is always there, and answers whoever has no history."""

BLOCK_BYTES = 512 * 2**20


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates of U users: the union of every member's best unseen items.

    What no member brings is not here: nobody can rank it, and among the members' best items it would only speak for
    weights of zero. It counts in `n_relevant`.
    """

    members: tuple[str, ...]
    user: IntArray
    """[C], sorted; position of the user in the pool."""
    item: IntArray
    """[C] item rows; a user's in the order that `top_k` gives equal scores."""
    z: FloatArray
    """[C, M] standardised scores."""
    rank: FloatArray
    """[C, M] 0 = the member's best; `size` for an item below its best `size`."""
    relevant: BoolArray
    """[C]"""
    length: IntArray
    """[U] events in the history."""
    n_relevant: IntArray
    """[U] items that the user took, brought or not."""
    floor: FloatArray
    """[C] standardised scores of popularity, which answers whoever has no history, whatever the hybrid."""
    tail: BoolArray
    """[n_items] those that few take: members that know them well deserve more trust there than elsewhere."""
    size: int

    @property
    def n_users(self) -> int:
        """U."""
        return len(self.length)

    @cached_property
    def indptr(self) -> IntArray:
        """[U + 1]: candidates of user u are at indptr[u]:indptr[u + 1]."""
        return np.concatenate(([0], np.cumsum(np.bincount(self.user, minlength=self.n_users))))

    def where(self, keep: BoolArray) -> "Pool":
        """Only these candidates (a mask [C]), of the same users."""
        columns = ("user", "item", "z", "rank", "relevant", "floor")
        return replace(self, **{name: getattr(self, name)[keep] for name in columns})

    def select(self, users: BoolArray) -> "Pool":
        """Only these users (a mask [U]), renumbered."""
        theirs, number = self.where(users[self.user]), np.cumsum(users) - 1
        length, n_relevant = self.length[users], self.n_relevant[users]
        return replace(theirs, user=number[theirs.user], length=length, n_relevant=n_relevant)

    def without(self, member: str) -> "Pool":
        """What the other members bring, and all for whoever has no history: popularity answers them even so."""
        keep = [position for position, name in enumerate(self.members) if name != member]
        names = tuple(self.members[position] for position in keep)
        left = self.where((self.rank[:, keep].min(1) < self.size) | (self.length[self.user] == 0))
        return replace(left, members=names, z=left.z[:, keep], rank=left.rank[:, keep])

    def served(self, scores: FloatArray) -> FloatArray:
        """[C] scores as they would be served: those of popularity for users without history."""
        return np.where(self.length[self.user] == 0, self.floor, scores)

    def ndcg(self, scores: FloatArray, k: int = 10) -> FloatArray:
        """[U] ndcg@k of ranking the candidates by scores [C]."""
        order = np.lexsort((-scores, self.user))  # stable: equal scores stay in the order of `item`
        position = np.arange(len(order)) - self.indptr[self.user[order]]
        hit = self.relevant[order] & (position < k)
        gain = np.bincount(self.user[order][hit], weights=1 / np.log2(position[hit] + 2), minlength=self.n_users)
        ideal = np.cumsum(1 / np.log2(np.arange(k) + 2))
        return np.asarray(gain / ideal[np.minimum(self.n_relevant, k) - 1], dtype=np.float32)


def build_pool(
    members: Members,
    holdout: Holdout,
    tail: BoolArray,
    size: int,
    progress: Callable[[int, int], None] | None = None,
) -> Pool:
    """Score the users of a holdout with every member and keep what competes; `tail` [n_items] is what few take.

    Users are scored in blocks of at most `BLOCK_BYTES`.
    """
    n, M = holdout.history.n_items, len(members)
    size = min(size, n)
    block = max(1, BLOCK_BYTES // (8 * n * M))
    parts = []
    for start in range(0, len(holdout), block):
        rows = np.arange(start, min(start + block, len(holdout)))
        parts.append(_block(members, holdout.select(rows), size, start))
        if progress:
            progress(int(rows[-1]) + 1, len(holdout))
    user, item, z, rank, relevant = (np.concatenate(column) for column in zip(*parts, strict=True))
    lengths = (holdout.history.lengths, holdout.truth.lengths)
    floor = z[:, list(members).index(FLOOR)]
    return Pool(tuple(members), user, item, z, rank, relevant, *lengths, floor, tail, size)


def _block(members: Members, part: Holdout, size: int, offset: int) -> tuple[np.ndarray[Any, Any], ...]:
    B, n = len(part), part.history.n_items
    z, member_rank = ranked_scores(members, part.history, size)  # each [M, B, n]
    relevant = np.zeros((B, n), dtype=np.bool_)
    relevant[part.truth.user, part.truth.item] = True
    rows, items = np.nonzero((member_rank < size).any(0))
    order = np.lexsort((tie_hash(items, fingerprint(part.history, B)[rows], 0), rows))
    rows, items = rows[order], items[order]
    pick = (slice(None), rows, items)
    columns = (z[pick].T.copy(), member_rank[pick].T.astype(np.float32), relevant[rows, items])
    return (rows + offset, items, *columns)


def ranked_scores(members: Members, history: Interactions, size: int) -> tuple[FloatArray, RowArray]:
    """Standardised scores [M, B, n] float32 of every member, and the place of each item by them [M, B, n] int32.

    Places are those of `best_unseen`; `size` for all other items.
    """
    shape = (len(members), history.n_users, history.n_items)
    z, rank = np.empty(shape, np.float32), np.full(shape, size, np.int32)
    user = np.arange(history.n_users)[:, None]
    for m, (scores, best, place) in enumerate(each_placed(members, history, size)):
        z[m] = scores
        rank[m, user, best] = place
    return z, rank
