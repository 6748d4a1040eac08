"""EASE^R: an item-to-item linear autoencoder in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019 (arXiv 1905.03375), eq. 5–8:

    minimise ‖X − XB‖² + λ‖B‖²  s.t. diag(B) = 0
    P = (XᵀX + λI)⁻¹,   B_ij = −P_ij / P_jj,  B_jj = 0,   score = x B

X [users × items] is the log, x one history.
*Differs from the paper:* events weigh 2^(−age / half_life) by the later events of their user, with a long half-life in
X and a short one in x; users weigh (history length)^(−user_norm) in XᵀX, so that heavy ones do not drown the rest,
scaled to a mean of 1 over events, so that λ stays on the scale of event counts; only items with events take part, the
others score 0. The Gram matrix, its Cholesky factor, P and B are one float32 array after another in the same place.
*Cost:* Σ_u |S_u|² / 2 + n³ flops and 4 n² bytes for n items with events. *Limits:* refuses a catalogue over its memory
budget.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from scipy import sparse

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.models.bag import bag
from recsys.models.base import HALF_LIVES, ModelConfig, Range, Space, State

BLOCK_BYTES = 32 * 2**20
"""Of rows of the Gram matrix while they are sparse."""


class EASEConfig(ModelConfig):
    """Parameters of `EASE`."""

    reg: float = Field(default=200.0, gt=0)
    """λ, on the scale of event counts."""
    user_norm: float = Field(default=0.0, ge=0, le=1)
    """How far the weight of a user falls with history length; 0: all events weigh alike, the paper."""
    fit_half_life: float = Field(default=100.0, ge=0)
    """Later events of the user after which one counts half in training; 0: all count alike, the paper."""
    half_life: float = Field(default=10.0, ge=0)
    """The same when scoring."""


class EASE:
    """Linear autoencoder with zero diagonal."""

    name: ClassVar[str] = "ease"
    Config: ClassVar[type[ModelConfig]] = EASEConfig
    SPACE: ClassVar[Space] = {
        "reg": Range(low=1.0, high=3000.0, log=True),
        "user_norm": Range(low=0.0, high=1.0),
        "fit_half_life": Range(low=20.0, high=1000.0, log=True),
    }
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]] = {"half_life": HALF_LIVES}

    def __init__(self, config: EASEConfig | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        self.config = config or EASEConfig()
        self.device = device
        self.n_items = 0
        self.active: np.ndarray[Any, Any] = np.zeros(0, np.int64)  # [n] rows of items with events
        self.B: torch.Tensor = torch.zeros(0, 0)  # [n, n]

    @classmethod
    def memory_bytes(cls, config: EASEConfig, data: Dataset) -> int:
        """One n × n array, a few sparse copies of the log, and a block of rows, sparse and dense."""
        log = data.interactions
        return 4 * len(np.unique(log.item)) ** 2 + 40 * len(log) + 2 * BLOCK_BYTES

    def fit(self, data: Dataset) -> Self:
        """Invert the regularised Gram matrix (eq. 8)."""
        log = data.interactions
        self.B = torch.zeros(0, 0)  # of an earlier fit: one array of this size is enough
        self.n_items = log.n_items
        self.active = np.unique(log.item).astype(np.int64)
        weight = np.maximum(log.lengths, 1.0) ** -self.config.user_norm  # of users
        weight /= weight[log.user].mean()
        X = log.matrix(log.recency(self.config.fit_half_life))[:, self.active]
        X = sparse.diags_array(np.sqrt(weight).astype(np.float32)) @ X
        G = upper_gram(sparse.csr_matrix(X)).to(self.device)
        G.diagonal().add_(self.config.reg)
        # LAPACK works in place on columns: on the transpose, whose lower triangle is the one that is filled.
        columns = G.mT
        torch.linalg.cholesky(columns, out=columns)
        torch.cholesky_inverse(columns, out=columns)  # fills both triangles: G is P
        self.B = G.div_(-G.diagonal())
        self.B.fill_diagonal_(0.0)
        return self

    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: x B; items without events score 0."""
        x = history.matrix(history.recency(self.config.half_life))[:, self.active]
        scores = np.zeros((history.n_users, self.n_items), np.float32)
        scores[:, self.active] = bag(x, self.B).cpu().numpy()
        return scores

    def state(self) -> State:
        """B over the items with events."""
        return {"B": self.B.cpu().numpy(), "active": self.active, "n_items": np.array(self.n_items)}

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back B."""
        self.B = torch.from_numpy(state["B"]).to(self.device)
        self.active, self.n_items = state["active"], int(state["n_items"])
        return self


def upper_gram(X: sparse.csr_matrix) -> torch.Tensor:
    """[n, n] float32: XᵀX on and above the diagonal, below it whatever; no second array of that size on the way."""
    n = X.shape[1]
    G = torch.empty(n, n)
    Xt = X.T.tocsr()
    rows = max(1, BLOCK_BYTES // (8 * n))
    for start in range(0, n, rows):
        block = slice(start, start + rows)
        G[block, start:] = torch.from_numpy((Xt[block] @ X[:, start:]).toarray())
    return G
