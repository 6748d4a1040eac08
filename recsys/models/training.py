"""What the models trained in epochs share: windows of histories, the sampled softmax, the loop.

Letters: S windows, B windows of a batch, T positions, M positions that are not padding, N negatives, d width, n items.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from recsys.data.interactions import Interactions
from recsys.data.schema import IntArray
from recsys.models.base import OnEpoch, Recommender
from recsys.models.lazy_adam import LazyAdam

BETAS = (0.9, 0.98)
"""Decay of Adam's two moments: the second one shorter than its default, for trainings of a few hundred steps."""


@dataclass(frozen=True)
class Batch:
    """Windows of like length, padded behind (a causal model then needs no mask)."""

    user: Tensor
    """[B] int64: row in the log."""
    inputs: Tensor
    """[B, T] int64: the event before each target; n = no event (start of a history, padding)."""
    targets: Tensor
    """[B, T] int64: what came next; n = padding."""
    past: Tensor
    """[B, T] float32: event weight of the input, 0 = no event."""
    weights: Tensor
    """[B, T] float32: what the target counts in the loss, 0 = padding."""
    start: Tensor
    """[B] int64: place of the first target in the log."""


class Windows:
    """A log cut into windows of at most `max_len` targets, latest events first to be whole.

    Targets count their event weight, less with age where it has a `half_life` (`Interactions.freshness`); what a target
    is predicted from counts whatever its age.
    """

    def __init__(self, log: Interactions, max_len: int, half_life: float = 0.0) -> None:
        self.log = log
        self.weight = log.freshness(half_life)  # [N], of targets
        pieces = -(-log.lengths // max_len)
        self.user: IntArray = np.repeat(np.arange(log.n_users), pieces)  # [S]
        back = np.arange(len(self.user)) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # 0 = the latest window
        self.stop: IntArray = log.indptr[self.user + 1] - back * max_len  # [S]
        self.start: IntArray = np.maximum(self.stop - max_len, log.indptr[self.user])  # [S]

    def batches(self, tokens: int, rng: np.random.Generator) -> Iterator[Batch]:
        """All windows once, in batches of about `tokens` positions, like lengths together, in random order."""
        length = self.stop - self.start
        order = np.lexsort((rng.random(len(length)), length))
        cuts = np.flatnonzero(np.diff(np.cumsum(length[order]) // tokens)) + 1
        groups = np.split(order, cuts)
        for g in rng.permutation(len(groups)):
            yield self._batch(groups[g])

    def _batch(self, rows: IntArray) -> Batch:
        log, start, length = self.log, self.start[rows], (self.stop - self.start)[rows]
        position = np.arange(length.max())
        real = position < length[:, None]  # [B, T]
        at = np.where(real, start[:, None] + position, 0)
        targets = np.where(real, log.item[at], log.n_items).astype(np.int64)
        has_past = real & (at > log.indptr[self.user[rows]][:, None])
        before = np.maximum(at - 1, 0)
        inputs = np.where(has_past, log.item[before], log.n_items).astype(np.int64)
        past = np.where(has_past, log.weight[before], 0).astype(np.float32)
        weights = np.where(real, self.weight[at], 0).astype(np.float32)
        parts = (self.user[rows], inputs, targets, past, weights, start)
        return Batch(*(torch.from_numpy(part) for part in parts))

    def earlier(self, batch: Batch) -> sparse.csr_matrix:
        """[B, n] float32: weights of the events before the first input of each window; an item may stand twice."""
        log, first = self.log, self.log.indptr[batch.user.numpy()]
        lengths = np.maximum(batch.start.numpy() - 1 - first, 0)
        ends = np.cumsum(lengths)
        at = np.repeat(first - (ends - lengths), lengths) + np.arange(ends[-1])
        indptr = np.concatenate(([0], ends))
        return sparse.csr_matrix((log.weight[at], log.item[at], indptr), shape=(len(first), log.n_items))


def sampled_softmax(
    h: Tensor,
    targets: Tensor,
    weights: Tensor,
    items: Callable[[Tensor], Tensor],
    negatives: Tensor,
    n: int,
) -> Tensor:
    """Weighted mean over M positions of −log softmax, its denominator estimated from N shared negatives.

        −s_y + log( exp(s_y) + n/N Σ_{j ∈ negatives, j ≠ y} exp(s_j) ),   s_i = ⟨h, v_i⟩ + b_i

    Negatives are drawn uniformly without replacement and shared by the batch, so that the sum is one matrix
    product (Klenitskiy & Vasilev 2023); with N = n, the items they are drawn from, it is the softmax itself. `items`
    gives vectors and biases [·, d + 1] of item rows, the bias last, so that both lie together. h [M, d],
    targets [M] int64, weights [M], negatives [N] int64 without repetition.
    """
    v, b = with_bias(items(targets))
    positive = (h * v).sum(1) + b  # [M]
    v, b = with_bias(items(negatives))
    others = torch.addmm(b + math.log(n / len(negatives)), h, v.T)  # [M, N]
    ordered, order = negatives.sort()
    column = order[torch.searchsorted(ordered, targets).clamp(max=len(negatives) - 1)]
    row = torch.nonzero(negatives[column] == targets).squeeze(1)
    others[row, column[row]] = -torch.inf
    loss = torch.logaddexp(positive, torch.logsumexp(others, 1)) - positive
    return (loss * weights).sum() / weights.sum()


def with_bias(rows: Tensor) -> tuple[Tensor, Tensor]:
    """[·, d + 1] → vectors [·, d] and biases [·]: they lie in one row, so that a step touches memory once for both."""
    return rows[:, :-1], rows[:, -1]


def spectral_vectors(log: Interactions, d: int, std: float) -> Tensor:
    """[n, d] item vectors to start a training from: directions of the truncated SVD of the normalised log.

    X scaled to D_u^(−½) X D_i^(−½) (the normalised bipartite graph), its d leading right singular vectors times √σ,
    rows brought to length std·√d; zero for items without events. Training then starts from which items go together
    in place of noise: on a sparse review log one epoch reached what took ten, and the end was better as well.
    Cost: O(events · d).
    """
    X = log.matrix()
    by_user, by_item = (np.maximum(np.asarray(X.sum(axis)).ravel(), 1e-6) ** -0.5 for axis in (1, 0))
    normalised = sparse.csr_matrix(sparse.diags_array(by_user) @ X @ sparse.diags_array(by_item), dtype=np.float32)
    rank = max(1, min(d, min(X.shape) - 1))
    _, sigma, Vt = randomized_svd(normalised, rank, n_iter=4, random_state=0)
    V = Vt.T * np.sqrt(sigma)
    V *= std * math.sqrt(d) / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-9)
    V[np.bincount(log.item, minlength=log.n_items) == 0] = 0
    vectors = torch.zeros(log.n_items, d)
    vectors[:, :rank] = torch.from_numpy(V.astype(np.float32))
    return vectors


def spectral_bytes(log: Interactions, d: int) -> int:
    """Peak memory of `spectral_vectors`, bytes: two copies of the log, and five arrays of users and items by d + 10.

    The randomised SVD looks for ten directions more than it keeps.
    """
    return 16 * len(log) + 20 * (log.n_users + log.n_items) * (d + 10)


def popularity_bias(log: Interactions) -> Tensor:
    """[n] biases to start a softmax from: log(1 + events of the item), less the mean.

    Where biases start at zero the first epochs teach popularity to every vector, and ranking gets worse before it gets
    better.
    """
    bias = torch.from_numpy(np.log1p(np.bincount(log.item, minlength=log.n_items))).float()
    return bias - bias.mean()


def draw_negatives(n: int, count: int, device: str) -> Tensor:
    """[min(count, n)] distinct item rows, uniform: drawn with replacement, what stands twice drawn anew.

    No item is favoured, so that every set of rows is as likely as any other. Cost: O(count), whatever n.
    """
    if n <= 4 * count:
        return torch.randperm(n)[:count].to(device)
    rows = torch.empty(0, dtype=torch.int64)
    while len(rows) < count:
        rows = torch.unique(torch.cat((rows, torch.randint(n, (count - len(rows),)))))
    return rows.to(device)


class Dropout(nn.Module):
    """Dropout whose mask is drawn a byte an element: on a CPU many times cheaper than a Bernoulli float each.

    The rate is met to 1/256.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share `rate` of x and scale up the rest, in training only."""
        threshold = min(round(256 * self.rate), 255)
        if not self.training or threshold == 0:
            return x
        words = torch.randint(-(2**63), 2**63 - 1, ((x.numel() + 7) // 8,), device=x.device)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= threshold
        return x * kept * (256 / (256 - threshold))


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """Run the small steps of a training on one CPU thread.

    A step of a few milliseconds spends longer waiting at the barriers between threads than a second thread saves
    it; with another process on the machine, two threads were measured at twice to eight times the time of one.
    """
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(
    net: nn.Module,
    batches: Callable[[np.random.Generator], Iterator[Any]],
    loss: Callable[[Any], Tensor],
    model: Recommender,
    *,
    epochs: int,
    lr: float,
    weight_decay: float,
    seed: int,
    device: str,
    on_epoch: OnEpoch | None,
) -> None:
    """Adam over all batches, epoch after epoch, until `on_epoch` says stop; the net is left in eval mode.

    Embeddings of the net that ask for sparse gradients are moved row by row (`LazyAdam`), all else as a whole.
    """
    tables = [part.weight for part in net.modules() if isinstance(part, nn.Embedding) and part.sparse]
    of_tables = {id(table) for table in tables}
    rest = [weights for weights in net.parameters() if id(weights) not in of_tables]
    lazy = LazyAdam(tables, lr, weight_decay, BETAS)
    adam = torch.optim.AdamW(rest, lr=lr, weight_decay=weight_decay, betas=BETAS, fused=True)
    for epoch in range(1, epochs + 1):
        net.train()
        with one_thread(device):
            for batch in batches(np.random.default_rng((seed, epoch))):
                lazy.zero_grad()
                adam.zero_grad()
                loss(batch).backward()  # type: ignore[no-untyped-call]  # torch leaves backward untyped
                lazy.step()
                adam.step()
        net.eval()
        if on_epoch is not None and on_epoch(epoch, model):
            break
    net.eval()
