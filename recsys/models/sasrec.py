"""SASRec: a causal Transformer over the last events of a history.

Kang & McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018 (arXiv 1808.09781):

    H⁰ = E[events] + P,   H^l = Block_l(H^{l−1}) (causal self-attention, then a position-wise network),
    score(i) = ⟨LayerNorm(H^L_last), e_i⟩

*Differs from the paper:* trained on softmax cross-entropy with negatives shared by the batch in place of BCE with
one negative (Klenitskiy & Vasilev 2023, arXiv 2309.07602; eSASRec 2025, arXiv 2508.06450); blocks normalise their
input and use GELU; item vectors start from the spectrum of the log, biases from popularity; a start token stands before
the first event of a history, so that an empty one is answered and a first event is learnt from; long histories are cut
into windows in place of being truncated, and only the first of them, like only a history of fewer than T events, begins
with that token.
*Cost:* O(events · (T·d + d² + N·d)) an epoch for windows of T and N negatives. *Limits:* sees the last T events.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from recsys.data.dataset import Dataset
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray
from recsys.errors import InputError
from recsys.models.base import Choice, ModelConfig, OnEpoch, Range, Space, State
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

SCORED = 512
"""Users whose states at all positions are held at a time when scoring."""
STD = 0.05
"""Standard deviation of the first embeddings."""


class SASRecConfig(ModelConfig):
    """Parameters of `SASRec`."""

    width: int = Field(default=64, ge=4)
    """d: width of item vectors and hidden states."""
    blocks: int = Field(default=2, ge=1)
    """Attention blocks."""
    heads: int = Field(default=2, ge=1)
    """Attention heads; divides the width."""
    max_len: int = Field(default=50, ge=2)
    """T: how many of the last events count."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """On embeddings, attention output and the position-wise network."""
    lr: float = Field(default=0.002, gt=0)
    """Step of Adam."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled decay of all weights."""
    negatives: int = Field(default=512, ge=1)
    """N: negatives shared by a batch."""
    batch_tokens: int = Field(default=1024, ge=1)
    """Positions in a batch."""
    epochs: int = Field(default=40, ge=1)
    """Passes over the log, at most; early stopping finds how many."""


class _Block(nn.Module):
    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, Dropout(dropout)
        self.norm_attention, self.norm_network = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, H: Tensor) -> Tensor:
        B, T, d = H.shape
        qkv = self.qkv(self.norm_attention(H)).view(B, T, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, T, d / heads]
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        attended = attended.transpose(1, 2).reshape(B, T, d)
        H = H + self.dropout(self.out(attended))
        out: Tensor = H + self.dropout(self.down(F.gelu(self.up(self.norm_network(H)))))
        return out


class _Net(nn.Module):
    def __init__(self, n_items: int, c: SASRecConfig) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, c.width + 1, sparse=True)  # vector, bias; row n_items: start token
        self.positions = nn.Embedding(c.max_len, c.width)
        self.blocks = nn.ModuleList(_Block(c.width, c.heads, c.dropout) for _ in range(c.blocks))
        self.norm = nn.LayerNorm(c.width)
        self.dropout = Dropout(c.dropout)
        for table in (self.items, self.positions):
            nn.init.normal_(table.weight, std=STD)

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, T] item rows → [B, T, d] states."""
        H = self.items(inputs)[..., :-1] + self.positions.weight[: inputs.shape[1]]
        H = self.dropout(H)
        for block in self.blocks:
            H = block(H)
        normed: Tensor = self.norm(H)
        return normed


class SASRec:
    """Self-attentive sequential recommender."""

    name: ClassVar[str] = "sasrec"
    Config: ClassVar[type[ModelConfig]] = SASRecConfig
    SPACE: ClassVar[Space] = {
        "width": Choice(values=(48, 64, 96, 128)),
        "dropout": Range(low=0.1, high=0.6),
        "lr": Range(low=0.0005, high=0.005, log=True),
        "max_len": Choice(values=(25, 50, 100)),
        "blocks": Choice(values=(1, 2)),
    }
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    def __init__(self, config: SASRecConfig | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        self.config = config or SASRecConfig()
        if self.config.width % self.config.heads:
            raise InputError(
                f"models.params.sasrec: width {self.config.width} is not a multiple of heads {self.config.heads}"
            )
        self.seed, self.device = seed, device
        self.net: _Net | None = None

    @classmethod
    def memory_bytes(cls, config: SASRecConfig, data: Dataset) -> int:
        """Item table, and either its first vectors in the making or its moments, a spare and a batch's activations."""
        log = data.interactions
        table = 4 * log.n_items * config.width
        activations = config.batch_tokens * ((40 * config.blocks + 160) * config.width + 8 * config.negatives)
        return table + max(spectral_bytes(log, config.width), 3 * table + 4 * activations)

    def fit(self, data: Dataset, on_epoch: OnEpoch | None = None) -> Self:
        """Predict every event from the events before it."""
        c, log = self.config, data.interactions
        windows = Windows(log, c.max_len)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            net = self.net = _Net(log.n_items, c)
            with torch.no_grad():
                net.items.weight[:-1, :-1] = spectral_vectors(log, c.width, STD)
                net.items.weight[:-1, -1] = popularity_bias(log)
            net.to(self.device)

            def loss(batch: Batch) -> Tensor:
                real = batch.weights > 0
                h = net(batch.inputs.to(self.device))[real.to(self.device)]  # [M, d]
                targets, weights = batch.targets[real].to(self.device), batch.weights[real].to(self.device)
                negatives = draw_negatives(log.n_items, c.negatives, self.device)
                return sampled_softmax(h, targets, weights, net.items, negatives, log.n_items)

            def batches(rng: np.random.Generator) -> Iterator[Batch]:
                return windows.batches(c.batch_tokens, rng)

            train(net, batches, loss, self, epochs=c.epochs, lr=c.lr, weight_decay=c.weight_decay,
                  seed=self.seed, device=self.device, on_epoch=on_epoch)  # fmt: skip
        return self

    @torch.inference_mode()
    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: the last state against all items."""
        if self.net is None:
            raise RuntimeError("sasrec: score before fit")
        T = self.config.max_len
        recent = history.sequences(T)  # [B, T], padded in front with the start token
        padding = np.maximum(T - 1 - history.lengths, 0)  # all but the one before a history shorter than T
        inputs = np.take_along_axis(recent, (np.arange(T) + padding[:, None]) % T, 1).astype(np.int64)  # goes behind
        parts, ends = (
            torch.split(torch.from_numpy(rows).to(self.device), SCORED) for rows in (inputs, T - 1 - padding)
        )
        h = torch.cat([self.net(x)[torch.arange(len(x)), end] for x, end in zip(parts, ends, strict=True)])  # [B, d]
        vectors, biases = with_bias(self.net.items.weight[:-1])
        scores: FloatArray = torch.addmm(biases, h, vectors.T).cpu().numpy()
        return scores

    def state(self) -> State:
        """Weights of the net."""
        if self.net is None:
            raise RuntimeError("sasrec: state before fit")
        return {name: value.cpu().numpy() for name, value in self.net.state_dict().items()}

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the weights."""
        self.net = _Net(len(state["items.weight"]) - 1, self.config).to(self.device)
        self.net.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
        self.net.eval()
        return self
