"""Factorization machine over a history: recent items, all items, the last one, user and item attributes.

Rendle, "Factorization Machines", ICDM 2010, eq. 1: ŷ(x) = w₀ + Σ_j w_j x_j + Σ_{j<l} ⟨v_j, v_l⟩ x_j x_l. Split x into a
context part c (bag of recent items, bag of all items and their attributes, last item, user attributes) and an item part
a (the item itself and its attributes). Terms of the context alone are the same for every item and drop out of a
ranking, which leaves, for item i,

    score(i) = ⟨q, p_i⟩ + b_i,   q = v₀ + Σ_{j∈c} x_j v_j,   p_i = Σ_{l∈a(i)} x_l v_l,   b_i = Σ_{l∈a(i)} x_l w_l

so that the whole catalogue is one matrix product, and an item never seen scores through its attributes.
*Differs from the paper:* trained on the softmax over the catalogue (negatives shared by the batch) in place of a
pointwise loss, from vectors that start at the spectrum of the log and weights w of items at popularity; x of a past
item is its event weight, in the bag of recent items decayed with age, 2^(−age / half_life), each bag divided by (Σ
x)^norm, in training as in scoring; the bag of all items, whose vectors are its own and start at zero, remembers what
has decayed in the other, and through the attributes of those items what an item nobody met has in common with them; v₀
stands for the context's bias feature; pairs among one item's own features are left out: they are constants that b_i can
learn. A target counts 2^(−age / trend) in the loss, age a share of a dated log's time span, so that biases and vectors
are of what is taken now. x of an attribute is its inverse document frequency, those of an item scaled to length 1: one
with many of them is no louder than one with few. Negatives are drawn among items with events only: that
nobody met an item that nobody could meet says nothing about its attributes. For an item without events p_i and b_i are
what a ridge regression on attributes foretells (`attributes.py`): the sum of its attributes' vectors lacks all that the
own vectors of known items learn, and would rank below every one of them.
*Cost:* O(events · (T + N)·d) an epoch for windows of T and N negatives, and for a history of h events h²/2T vectors of
what came before its windows; a³ once for a attributes of unseen items.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor, nn

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.models.attributes import Foretelling, informative
from recsys.models.bag import bag
from recsys.models.base import ModelConfig, OnEpoch, Range, Space, State
from recsys.models.training import (
    Batch,
    Dropout,
    Windows,
    draw_negatives,
    popularity_bias,
    sampled_softmax,
    spectral_bytes,
    spectral_vectors,
    train,
    with_bias,
)

STD = 0.1
"""Standard deviation of the first vectors."""


class FMConfig(ModelConfig):
    """Parameters of `FM`."""

    width: int = Field(default=64, ge=2)
    """d: length of the vector of every feature."""
    half_life: float = Field(default=5.0, gt=0)
    """Events after which a past item counts half in the bag."""
    trend: float = Field(default=0.5, ge=0)
    """Age at which an event counts half in the loss, as a share of a dated log's time span; 0: age does not matter."""
    norm: float = Field(default=0.5, ge=0, le=1)
    """Exponent of the bag's normalisation: 0 a sum, 1 a mean."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """On the context vector."""
    lr: float = Field(default=0.003, gt=0)
    """Step of Adam."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled decay of all weights."""
    negatives: int = Field(default=512, ge=1)
    """N: negatives shared by a batch."""
    batch_tokens: int = Field(default=1024, ge=1)
    """Targets in a batch."""
    max_len: int = Field(default=50, ge=2)
    """T: targets in a window; its bag of recent events starts empty but for the event before it."""
    epochs: int = Field(default=30, ge=1)
    """Passes over the log, at most; early stopping finds how many."""


class _Net(nn.Module):
    """The vectors v and weights w of all features; row n of a table is the absent item."""

    def __init__(self, n_items: int, n_item_features: int, n_user_features: int, d: int) -> None:
        super().__init__()
        self.recent_last = nn.Embedding(n_items + 1, 2 * d, sparse=True)  # v in the decayed bag | v as the last item
        self.ever = nn.Embedding(n_items + 1, d, sparse=True)
        self.ever_feature = nn.Embedding(n_item_features, d, sparse=True)
        self.item = nn.Embedding(n_items, d + 1, sparse=True)  # v | w
        self.item_feature = nn.Embedding(n_item_features, d + 1, sparse=True)  # v | w
        self.user_feature = nn.Embedding(n_user_features, d, sparse=True)
        self.context = nn.Parameter(torch.zeros(d))

    @torch.no_grad()
    def start(self, vectors: Tensor, biases: Tensor) -> None:
        """Items at vectors [n, d], also as recent and as last, and biases [n]; attributes at noise, the rest at 0."""
        self.recent_last.weight[:-1] = vectors.repeat(1, 2)
        self.recent_last.weight[-1] = 0
        for table in (self.ever, self.ever_feature):
            nn.init.zeros_(table.weight)
        self.item.weight[:, :-1] = vectors
        for table in (self.item_feature, self.user_feature):
            nn.init.normal_(table.weight, std=STD)
        self.item.weight[:, -1] = biases
        self.item_feature.weight[:, -1] = 0


class FM:
    """Factorization machine that scores a whole catalogue from a history."""

    name: ClassVar[str] = "fm"
    Config: ClassVar[type[ModelConfig]] = FMConfig
    SPACE: ClassVar[Space] = {
        "width": Range(low=32, high=128, log=True, integer=True),
        "half_life": Range(low=0.5, high=50.0, log=True),
        "trend": Range(low=0.1, high=10.0, log=True),
        "dropout": Range(low=0.0, high=0.7),
        "lr": Range(low=0.001, high=0.01, log=True),
        "weight_decay": Range(low=0.001, high=0.3, log=True),
    }
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    def __init__(self, config: FMConfig | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        self.config = config or FMConfig()
        self.seed, self.device = seed, device
        self.net: _Net | None = None
        self.foretelling = Foretelling(_features(None, 0), np.zeros(0, dtype=np.int64))
        """Holds the attributes [n_items, item features], values x_l, and the events of each item in the log."""
        self._catalogue: Tensor | None = None  # [n_items, d + 1]: vectors and biases of all items, once scored with

    @classmethod
    def memory_bytes(cls, config: FMConfig, data: Dataset) -> int:
        """Item tables of four widths, attribute tables of two, and what making, training or scoring them takes.

        The last two are moments, a spare, a batch's activations, the vectors of all items; and where attributes
        foretell some of them, three matrices of attributes by attributes.
        """
        log, d = data.interactions, config.width
        n_attributes = 0 if data.item_features is None else data.item_features.shape[1]
        tables = (16 * log.n_items + 8 * n_attributes) * d
        foretold = 24 * n_attributes**2 if (np.bincount(log.item, minlength=log.n_items) == 0).any() else 0
        scoring = 20 * log.n_items * d + foretold
        return tables + max(spectral_bytes(log, d), 3 * tables + 32 * config.batch_tokens * config.negatives + scoring)

    def fit(self, data: Dataset, on_epoch: OnEpoch | None = None) -> Self:
        """Predict every event from the bag of events before it, the last one, and attributes."""
        c, log = self.config, data.interactions
        windows = Windows(log, c.max_len, c.trend)
        events = np.bincount(log.item, minlength=log.n_items)
        self.foretelling = Foretelling(informative(_features(data.item_features, log.n_items)), events)
        users = _features(log.features, log.n_users)
        met = torch.from_numpy(np.flatnonzero(events)).to(self.device)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            net = self.net = _Net(log.n_items, self.foretelling.attributes.shape[1], users.shape[1], c.width)
            popularity = popularity_bias(log) * torch.from_numpy(events > 0)
            net.start(spectral_vectors(log, c.width, STD), popularity)  # an item without events has nothing of its own
            net.to(self.device)
            dropout = Dropout(c.dropout)

            def loss(batch: Batch) -> Tensor:
                self._catalogue = None  # the step after this loss moves it
                q = self._contexts(batch, windows.earlier(batch), users[batch.user.numpy()])
                real = batch.weights > 0
                targets, weights = batch.targets[real].to(self.device), batch.weights[real].to(self.device)
                negatives = met[draw_negatives(len(met), c.negatives, self.device)]
                return sampled_softmax(dropout(q[real]), targets, weights, self._items, negatives, len(met))

            def batches(rng: np.random.Generator) -> Iterator[Batch]:
                return windows.batches(c.batch_tokens, rng)

            train(net, batches, loss, self, epochs=c.epochs, lr=c.lr, weight_decay=c.weight_decay,
                  seed=self.seed, device=self.device, on_epoch=on_epoch)  # fmt: skip
        return self

    def _contexts(self, batch: Batch, earlier: sparse.csr_matrix, attributes: sparse.csr_matrix) -> Tensor:
        """[B, T, d]: q before every target of windows, with what came earlier than they and attributes of users."""
        net, c = self._fitted(), self.config
        inputs, x = batch.inputs.to(self.device), batch.past.to(self.device)
        recent, last = net.recent_last(inputs).split(c.width, 2)  # [B, T, d]
        decayed = _decay(inputs.shape[1], c.half_life).to(self.device) * x[:, None, :]  # [B, T, T]
        q: Tensor = last + net.context + _normalised(decayed @ recent, decayed.sum(2), c.norm)
        total = x.cumsum(1) + torch.from_numpy(np.asarray(earlier.sum(1))).to(self.device)
        ever = (x[:, :, None] * self._past(inputs)).cumsum(1)
        ever = ever + self._whole(earlier, sparse_gradient=True)[:, None, :]
        q = q + _normalised(ever, total, c.norm)
        return q + bag(attributes, net.user_feature.weight, sparse_gradient=True)[:, None, :]

    @torch.inference_mode()
    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: ⟨q, p_i⟩ + b_i."""
        net, c = self._fitted(), self.config
        last = torch.from_numpy(history.sequences(1)[:, 0].astype(np.int64)).to(self.device)
        q = net.recent_last(last)[:, c.width :] + net.context
        decayed, whole = history.matrix(history.recency(c.half_life)), history.matrix()
        recent = bag(decayed, net.recent_last.weight)[:, : c.width]
        for bags, X in ((recent, decayed), (self._whole(whole), whole)):
            total = torch.from_numpy(np.asarray(X.sum(1)).ravel()).to(self.device)
            q = q + _normalised(bags, total, c.norm)
        q = q + bag(_features(history.features, history.n_users), net.user_feature.weight)
        if self._catalogue is None:
            self._catalogue = self._all_items()
        vectors, biases = with_bias(self._catalogue)
        scores: FloatArray = torch.addmm(biases, q, vectors.T).cpu().numpy()
        return scores

    def _past(self, inputs: Tensor) -> Tensor:
        """Vectors [..., d] of past items in the bag of all items, those of their attributes added."""
        net = self._fitted()
        vectors: Tensor = net.ever(inputs)
        A = self.foretelling.attributes
        if A.shape[1]:
            # the absent item, whose event weight is 0, may have the attributes of any
            A = A[inputs.clamp(max=A.shape[0] - 1).cpu().numpy().ravel()]
            vectors = vectors + bag(A, net.ever_feature.weight, sparse_gradient=True).view_as(vectors)
        return vectors

    def _whole(self, X: sparse.csr_matrix, *, sparse_gradient: bool = False) -> Tensor:
        """[B, d]: the same for whole histories X [B, n_items], added up."""
        net = self._fitted()
        summed = bag(X, net.ever.weight, sparse_gradient=sparse_gradient)
        return summed + bag(X @ self.foretelling.attributes, net.ever_feature.weight, sparse_gradient=sparse_gradient)

    def _items(self, rows: Tensor) -> Tensor:
        """Vectors p and biases b [·, d + 1] of item rows."""
        net = self._fitted()
        items: Tensor = net.item(rows)
        A = self.foretelling.attributes
        if A.shape[1]:
            items = items + bag(A[rows.cpu().numpy()], net.item_feature.weight, sparse_gradient=True)
        return items

    def _all_items(self) -> Tensor:
        """[n_items, d + 1]; those of items without events as their attributes foretell."""
        items = self._items(torch.arange(len(self.foretelling.events), device=self.device))
        vectors = self.foretelling.vectors(items.detach().cpu().numpy())
        items[torch.from_numpy(self.foretelling.rows).to(items.device)] = torch.from_numpy(vectors).to(items)
        return items

    def _fitted(self) -> _Net:
        if self.net is None:
            raise RuntimeError("fm: used before fit")
        return self.net

    def state(self) -> State:
        """All vectors and weights, and the attributes of the catalogue."""
        weights = {name: value.cpu().numpy() for name, value in self._fitted().state_dict().items()}
        A = self.foretelling.attributes
        return weights | {
            "A_data": A.data,
            "A_indices": A.indices,
            "A_indptr": A.indptr,
            "A_shape": np.array(A.shape),
            "A_events": self.foretelling.events,
        }

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back what `state` gave."""
        parts = (state["A_data"], state["A_indices"], state["A_indptr"])
        A = sparse.csr_matrix(parts, shape=tuple(state["A_shape"]))
        self.foretelling = Foretelling(A, state["A_events"])
        weights = {name: torch.from_numpy(np.array(v)) for name, v in state.items() if not name.startswith("A_")}
        n_features = (len(weights["item_feature.weight"]), len(weights["user_feature.weight"]))
        self.net = _Net(len(weights["item.weight"]), *n_features, self.config.width).to(self.device)
        self.net.load_state_dict(weights)
        self._catalogue = None
        return self


def _features(matrix: sparse.csr_matrix | None, rows: int) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.zeros((rows, 0), np.float32)) if matrix is None else matrix


def _normalised(bags: Tensor, total: Tensor, norm: float) -> Tensor:
    """Bags [..., d] divided by their weight [...] to the power of norm."""
    return bags / total.clamp(min=1e-6)[..., None] ** norm


def _decay(T: int, half_life: float) -> Tensor:
    """[T, T] lower triangle: weight of the input at s in the bag that predicts target t, 2^(−(t − s) / half_life)."""
    age = torch.arange(T)[:, None] - torch.arange(T)[None, :]
    return torch.where(age >= 0, torch.exp2(-age.clamp(min=0) / half_life), 0.0)
