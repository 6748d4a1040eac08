"""iALS: implicit matrix factorisation by alternating least squares, with exact fold-in of any history.

Hu, Koren & Volinsky 2008, in the parametrisation of Rendle, Krichene, Zhang & Koren, "Revisiting the Performance
of iALS on Item Recommendation Benchmarks", RecSys 2022 (arXiv 2110.14037), eq. 1–4:

    L = Σ_(u,i)∈S w_ui (⟨p_u, q_i⟩ − 1)²  +  α₀ Σ_u Σ_i ⟨p_u, q_i⟩²
        + Σ_u λ_u ‖p_u‖²  +  Σ_i λ_i ‖q_i‖²,      λ_u = λ ((|S_u| + α₀ |I|) / mean)^ν,  λ_i alike

All least-squares problems are put into the eigenbasis of the Gramian α₀QᵀQ, where the dense part of their matrices is
diagonal. A history is folded in exactly (`solve`): one of h < d events costs a h×h system by the Woodbury identity
instead of a d×d one. Training has the last sweep's vectors to start from and needs no exact answer (`improve`): STEPS
of conjugate gradients (Takács, Pilászy & Tikk 2011), for which that diagonal is a good preconditioner. Users and items
of like taste are trained side by side (`ordering.py`), a third of the time where their vectors outgrow the caches.
*Differs from the paper:* λ is that of the average row, the mean above being over the rows with events, so that a good
value carries over from one catalogue to another; conjugate gradients, which end where exact sweeps do. Weights decay
with age, 2^(−age / half_life), fast when scoring and slowly in training: vectors are of what people take now.
*Cost:* a sweep is O(nnz·d + (U + I)·d²); a fold-in O(h²d + h³/3), or O(hd² + d³/3) where h > d; the fitted model
holds 4dI bytes, fitting takes what `memory_bytes` says.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.models.base import HALF_LIVES, ModelConfig, OnEpoch, Range, Space, State
from recsys.models.ordering import alike

BLOCK_BYTES = 32 * 2**20
BLOCK_ARRAYS = 8
"""Arrays [b, d] that conjugate gradients on a block of b rows hold at a time."""
TINY = 1e-30
"""In place of a length of zero: a row without events, or one that is solved."""
STEPS = 2
"""Of conjugate gradients a half-sweep. Two reach the loss of exact sweeps to a hundredth, in a fifth to a half of the
time."""


class ALSConfig(ModelConfig):
    """Parameters of `ALS`."""

    factors: int = Field(default=128, ge=1)
    """d: length of a user's and an item's vector."""
    epochs: int = Field(default=12, ge=1)
    """Sweeps over users and items."""
    alpha0: float = Field(default=0.03, gt=0)
    """α₀: weight of an unobserved pair; an observed one weighs its event weight."""
    reg: float = Field(default=2.5, gt=0)
    """λ, of a user or item of average frequency."""
    nu: float = Field(default=1.0, ge=0, le=1)
    """ν: how far regularisation follows frequency; 1 as found best in the paper."""
    fit_half_life: float = Field(default=30.0, ge=0)
    """Later events of the user after which one counts half in training; 0: all count alike, the paper."""
    half_life: float = Field(default=10.0, ge=0)
    """The same when scoring."""


class ALS:
    """Implicit matrix factorisation."""

    name: ClassVar[str] = "als"
    Config: ClassVar[type[ModelConfig]] = ALSConfig
    SPACE: ClassVar[Space] = {
        "factors": Range(low=32, high=256, log=True, integer=True),
        "alpha0": Range(low=0.003, high=0.3, log=True),
        "reg": Range(low=0.3, high=20.0, log=True),
        "fit_half_life": Range(low=5.0, high=300.0, log=True),
    }
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]] = {"half_life": HALF_LIVES}

    def __init__(self, config: ALSConfig | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        self.config = config or ALSConfig()
        self.seed, self.device = seed, device
        self.Q: Tensor = torch.zeros(0, 0)  # [n_items, d]
        self.mean = 1.0  # of |S_u| + α₀ |I| over the users of the log
        self._basis: tuple[Tensor, Tensor, Tensor, Tensor] | None = None  # of the vectors solved for last

    @classmethod
    def memory_bytes(cls, config: ALSConfig, data: Dataset) -> int:
        """Factor matrices, two more of each in the making, the log three times, and blocks of equations."""
        log, d = data.interactions, config.factors
        return 12 * d * (log.n_users + log.n_items) + 4 * d * log.n_items + 36 * len(log) + 4 * BLOCK_BYTES

    def fit(self, data: Dataset, on_epoch: OnEpoch | None = None) -> Self:
        """Alternate between users and items, each in an order that keeps the vectors which rows share in the cache."""
        c, log = self.config, data.interactions
        X = log.matrix(log.recency(c.fit_half_life))
        users, items = alike(X)
        X = X[users][:, items]
        Xt, back = X.T.tocsr(), torch.from_numpy(np.argsort(items)).to(self.device)
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(X.shape[1], c.factors, generator=generator)
        Q = (noise[torch.from_numpy(items)] / c.factors).to(self.device)
        Q[torch.from_numpy(np.diff(Xt.indptr) == 0)] = 0  # an item without events has no vector
        self.mean, mean_of_items = self._mean(X), self._mean(Xt)
        P = Q.new_zeros(X.shape[0], c.factors)
        for epoch in range(1, c.epochs + 1):
            P = self.improve(P, X, Q, self.mean)
            Q = self.improve(Q, Xt, P, mean_of_items)
            self.Q = Q[back]
            if on_epoch is not None and on_epoch(epoch, self):
                break
        return self

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: fold the histories in (eq. 4), then ⟨p, q_i⟩."""
        P = self.solve(history.matrix(history.recency(self.config.half_life)), self.Q, self.mean)
        scores: FloatArray = (P @ self.Q.T).cpu().numpy()
        return scores

    def state(self) -> State:
        """Item vectors and the scale of regularisation: all that is needed to answer any history."""
        return {"Q": self.Q.cpu().numpy(), "mean": np.array(self.mean)}

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the item vectors."""
        self.Q, self.mean = torch.from_numpy(state["Q"]).to(self.device), float(state["mean"])
        return self

    def _mean(self, X: sparse.csr_matrix) -> float:
        """Mean of |S| + α₀ · columns over the rows of X with events."""
        lengths = np.diff(X.indptr)
        return float(lengths[lengths > 0].mean() + self.config.alpha0 * X.shape[1])

    def solve(self, X: sparse.csr_matrix, Q: Tensor, mean: float) -> Tensor:
        """Least-squares vectors [rows, d] of the rows of X given the vectors Q [columns, d] of its columns.

        `mean` is what |S| + α₀ · columns is compared to for a row's regularisation.
        """
        d = Q.shape[1]
        # Scoring meets the same items block after block: what depends on them alone is computed once.
        if self._basis is None or self._basis[0] is not Q:
            self._basis = (Q, *self._eigenbasis(Q))
        _, eigenvalues, V, Z = self._basis
        reg = self._reg(X, mean)
        out = Q.new_zeros(X.shape[0], d)
        unit = bool((X.data == 1).all())
        for rows, columns, weights in _batches(X, np.diff(X.indptr), d):
            diagonal = eigenvalues + torch.from_numpy(reg[rows]).to(Q)[:, None]  # [b, d]
            root = torch.from_numpy(weights).to(Q).sqrt_()  # [b, h]
            Y = Z[torch.from_numpy(columns).to(Q.device)]  # [b, h, d]
            if not unit:
                Y *= root[:, :, None]
            solver = _woodbury if Y.shape[1] < d else _normal_equations
            out[torch.from_numpy(rows).to(Q.device)] = solver(Y, root, diagonal)
        rotated: Tensor = out @ V.T
        return rotated

    def improve(self, P: Tensor, X: sparse.csr_matrix, Q: Tensor, mean: float) -> Tensor:
        """P [rows, d] after STEPS of conjugate gradients towards `solve(X, Q, mean)`, all rows side by side."""
        eigenvalues, V, Z = self._eigenbasis(Q)
        Z = Z[:-1]
        reg = torch.from_numpy(self._reg(X, mean)).to(Q)
        out = torch.empty_like(P)
        size = max(1, BLOCK_BYTES // (4 * BLOCK_ARRAYS * Q.shape[1]))
        for start in range(0, X.shape[0], size):
            rows = slice(start, start + size)
            diagonal = eigenvalues + reg[rows, None]  # [b, d]
            out[rows] = _conjugate_gradients(P[rows] @ V, _on_device(X[rows], Q), Z, diagonal) @ V.T
        return out

    def _eigenbasis(self, Q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eigenvalues [d] and eigenvectors V [d, d] of α₀QᵀQ, and QV with a row of zeros below, for padding."""
        eigenvalues, V = torch.linalg.eigh(self.config.alpha0 * (Q.T @ Q))
        Z = Q.new_empty(Q.shape[0] + 1, Q.shape[1])
        torch.matmul(Q, V, out=Z[:-1])
        Z[-1] = 0
        return eigenvalues.clamp(min=0), V, Z

    def _reg(self, X: sparse.csr_matrix, mean: float) -> np.ndarray[Any, Any]:
        """λ_u of the rows of X, [rows]."""
        c = self.config
        return np.asarray(c.reg * ((np.diff(X.indptr) + c.alpha0 * X.shape[1]) / mean) ** c.nu)


def _conjugate_gradients(p: Tensor, X: Tensor, Z: Tensor, diagonal: Tensor) -> Tensor:
    """Towards the p [b, d] with (Λ + Zᵀ W Z) p = Zᵀ w, where the weights W of a row are those of X [b, columns]."""

    def scores(p: Tensor) -> Tensor:
        """⟨p, z⟩ at the events of X only."""
        at_events: Tensor = torch.sparse.sampled_addmm(X, p, Z.mT, beta=0.0).values()
        return at_events

    def back(values: Tensor) -> Tensor:
        """Zᵀ values: what these values at the events of X add up to, [b, d]."""
        summed: Tensor = _csr(X.crow_indices(), X.col_indices(), values, X.shape) @ Z
        return summed

    weights = X.values()
    residual = back(weights * (1 - scores(p))) - diagonal * p
    direction = residual / diagonal
    size = (residual * direction).sum(1, keepdim=True)
    for step in range(STEPS):
        moved = diagonal * direction + back(weights * scores(direction))
        length = size / (direction * moved).sum(1, keepdim=True).clamp(min=TINY)
        p = p + length * direction
        if step < STEPS - 1:
            residual = residual - length * moved
            conditioned = residual / diagonal
            before, size = size, (residual * conditioned).sum(1, keepdim=True)
            direction = conditioned + size / before.clamp(min=TINY) * direction
    return p


def _on_device(X: sparse.csr_matrix, like: Tensor) -> Tensor:
    """X as a sparse tensor of the type and on the device of `like`."""
    indptr, columns = (torch.from_numpy(part).to(like.device) for part in (X.indptr, X.indices))
    return _csr(indptr, columns, torch.from_numpy(X.data).to(like), X.shape)


def _csr(indptr: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr, columns, values, size=shape, check_invariants=False)


def _normal_equations(Y: Tensor, root: Tensor, diagonal: Tensor) -> Tensor:
    """(Λ + Zᵀ W Z) p = Zᵀ w, one d×d system a row; Y = √W Z."""
    A = Y.mT @ Y  # [b, d, d]
    A.diagonal(dim1=1, dim2=2).add_(diagonal)
    b = (root[:, None, :] @ Y).mT  # [b, d, 1]
    return torch.cholesky_solve(b, torch.linalg.cholesky(A)).squeeze(2)


def _woodbury(Y: Tensor, root: Tensor, diagonal: Tensor) -> Tensor:
    """The same vector as `_normal_equations`, from a h×h system a row: p = Λ⁻¹ Yᵀ (I + Y Λ⁻¹ Yᵀ)⁻¹ √w."""
    scaled = Y / diagonal[:, None, :]
    K = scaled @ Y.mT  # [b, h, h]
    K.diagonal(dim1=1, dim2=2).add_(1.0)
    y = torch.cholesky_solve(root[:, :, None], torch.linalg.cholesky(K))  # [b, h, 1]
    return (scaled.mT @ y).squeeze(2)


def _batches(
    X: sparse.csr_matrix, lengths: np.ndarray[Any, Any], d: int
) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], FloatArray]]:
    """Rows of like length, padded to the longest of the batch: (rows [b], columns [b, h], weights [b, h]).

    Padding points at column `X.shape[1]` with weight 0. A row's answer does not depend on its batch: widths are
    fixed steps of length, so the same row is always padded alike.
    """
    order = np.argsort(lengths, kind="stable")
    order = order[np.searchsorted(lengths[order], 1) :]  # a row without events has the zero vector
    width = np.maximum(4, np.ceil(2.0 ** (np.ceil(2 * np.log2(lengths[order])) / 2))).astype(np.int64)
    for step in np.unique(width):
        same = order[width == step]
        per_row = 4 * (2 * step * d + min(step, d) ** 2)
        for rows in np.array_split(same, max(1, int(np.ceil(len(same) * per_row / BLOCK_BYTES)))):
            columns = np.full((len(rows), step), X.shape[1], np.int64)
            weights = np.zeros((len(rows), step), np.float32)
            inside = np.arange(step) < lengths[rows][:, None]
            where = (X.indptr[rows][:, None] + np.arange(step))[inside]
            columns[inside], weights[inside] = X.indices[where], X.data[where]
            yield rows, columns, weights
