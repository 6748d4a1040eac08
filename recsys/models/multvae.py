"""Mult-VAE: a variational autoencoder of histories with a multinomial likelihood.

Liang, Krishnan, Hoffman & Jebara, "Variational Autoencoders for Collaborative Filtering", WWW 2018
(arXiv 1802.05814), eq. 1–9: x the bag of a history, normalised to length 1,

    μ, log σ² = encoder(dropout(x)),  z = μ + σ ε,  π = softmax(decoder(z)),
    maximise  Σ_i x_i log π_i − β KL(N(μ, σ²) ‖ N(0, I)),   score = decoder(μ)

*Differs from the paper:* the first layer is a sum of item vectors, so that a step costs what the histories hold and
not the catalogue; the softmax runs over the batch's own items and N negatives, its denominator corrected (with
N = n it is the paper's); all layers are of one width, and training starts where the model is a linear autoencoder on
the spectrum of the log (item vectors in and out from a truncated SVD, layers between them the identity, σ small) with
popularity as its bias, in place of noise; β rises linearly over twenty epochs; when scoring, events weigh less with age
(2^(−age / half_life)).
*Cost:* O(U · (h·d + (N + items of a batch)·d)) an epoch for width d; 32·n·d bytes.
"""

import math
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
from recsys.models.bag import bag
from recsys.models.base import HALF_LIVES, Choice, ModelConfig, OnEpoch, Range, Space, State
from recsys.models.training import draw_negatives, popularity_bias, spectral_vectors, train, with_bias

FIRST_LOGIT = 2.0
"""By how much two items of one direction attract each other when training starts."""

FIRST_LOG_VARIANCE = -6.0
"""log σ² of z when training starts."""


ANNEALING_EPOCHS = 20
"""Over which β rises: not a share of `epochs`, or a refit of fewer epochs would be another training."""


class MultVAEConfig(ModelConfig):
    """Parameters of `MultVAE`."""

    width: int = Field(default=256, ge=2)
    """d: width of item vectors, hidden layers and z."""
    beta: float = Field(default=0.2, ge=0)
    """β: weight of the KL term at the end of annealing."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of a history hidden from the encoder."""
    lr: float = Field(default=0.001, gt=0)
    """Step of Adam."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled decay of all weights."""
    negatives: int = Field(default=512, ge=1)
    """N: negatives shared by a batch."""
    batch_users: int = Field(default=128, ge=1)
    """Histories in a batch."""
    half_life: float = Field(default=20.0, ge=0)
    """Events after which one counts half when scoring; 0: all count alike, the paper."""
    epochs: int = Field(default=60, ge=1)
    """Passes over the users, at most; early stopping finds how many."""


class _Net(nn.Module):
    def __init__(self, n_items: int, d: int) -> None:
        super().__init__()
        self.inputs = nn.Embedding(n_items, d, sparse=True)
        self.outputs = nn.Embedding(n_items, d + 1, sparse=True)  # vector and bias
        self.input_bias = nn.Parameter(torch.zeros(d))
        self.mu, self.log_variance, self.decoder = (nn.Linear(d, d) for _ in range(3))

    @torch.no_grad()
    def start(self, vectors: Tensor, bias: Tensor) -> None:
        """A linear autoencoder on item vectors [n, d] of length 1, beside biases [n], with little noise."""
        self.inputs.weight.copy_(vectors)
        self.outputs.weight[:, :-1] = FIRST_LOGIT * vectors
        self.outputs.weight[:, -1] = bias
        for layer in (self.mu, self.decoder):
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.log_variance.bias.fill_(FIRST_LOG_VARIANCE)

    def encode(self, x: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
        """μ and log σ², each [B, d], of bags [B, n] that are normalised to length 1 here."""
        norm = np.sqrt(np.asarray(x.multiply(x).sum(1))).ravel().repeat(np.diff(x.indptr))
        x = sparse.csr_matrix((x.data / norm, x.indices, x.indptr), shape=x.shape)
        hidden = torch.tanh(bag(x, self.inputs.weight, sparse_gradient=True) + self.input_bias)
        return self.mu(hidden), self.log_variance(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """Hidden state [B, d] before the output layer."""
        return torch.tanh(self.decoder(z))


class MultVAE:
    """Variational autoencoder with multinomial likelihood."""

    name: ClassVar[str] = "multvae"
    Config: ClassVar[type[ModelConfig]] = MultVAEConfig
    SPACE: ClassVar[Space] = {
        "width": Choice(values=(128, 256, 512)),
        "beta": Range(low=0.01, high=1.0, log=True),
        "dropout": Range(low=0.2, high=0.8),
        "lr": Range(low=0.0002, high=0.002, log=True),
    }
    SCORING: ClassVar[Mapping[str, tuple[float, ...]]] = {"half_life": HALF_LIVES}

    def __init__(self, config: MultVAEConfig | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        self.config = config or MultVAEConfig()
        self.seed, self.device = seed, device
        self.net: _Net | None = None

    @classmethod
    def memory_bytes(cls, config: MultVAEConfig, data: Dataset) -> int:
        """Two item tables with Adam's two moments and a spare, and the logits of a batch."""
        return 32 * data.interactions.n_items * config.width + 32 * config.batch_users * 4 * config.negatives

    def fit(self, data: Dataset, on_epoch: OnEpoch | None = None) -> Self:
        """Reconstruct histories from a random half of themselves."""
        c, log = self.config, data.interactions
        X = log.matrix()
        users = np.flatnonzero(np.diff(X.indptr))
        steps = ANNEALING_EPOCHS * -(-len(users) // c.batch_users)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            net = self.net = _Net(log.n_items, c.width)
            net.start(spectral_vectors(log, c.width, 1 / math.sqrt(c.width)), popularity_bias(log))
            net.to(self.device)
            step = 0

            def loss(batch: tuple[sparse.csr_matrix, sparse.csr_matrix]) -> Tensor:
                nonlocal step
                step += 1
                shown, x = batch
                mu, log_variance = net.encode(shown)
                z = mu + torch.randn_like(mu) * torch.exp(0.5 * log_variance)
                kl = 0.5 * (mu**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
                beta = c.beta * min(1.0, step / steps)
                return self._reconstruction(net.decode(z), x) + beta * kl

            def batches(rng: np.random.Generator) -> Iterator[tuple[sparse.csr_matrix, sparse.csr_matrix]]:
                order = rng.permutation(users)
                for start in range(0, len(order), c.batch_users):
                    x = X[order[start : start + c.batch_users]]
                    yield _hide(x, c.dropout, rng), x

            train(net, batches, loss, self, epochs=c.epochs, lr=c.lr, weight_decay=c.weight_decay,
                  seed=self.seed, device=self.device, on_epoch=on_epoch)  # fmt: skip
        return self

    def _reconstruction(self, h: Tensor, x: sparse.csr_matrix) -> Tensor:
        """Mean over histories of −Σ x_i log π_i (eq. 2), π over the batch's items and negatives."""
        net, n = self._fitted(), x.shape[1]
        own = np.unique(x.indices)
        drawn = draw_negatives(n, self.config.negatives, "cpu").numpy()
        others = np.setdiff1d(drawn, own)
        rows = torch.from_numpy(np.concatenate((own, others)).astype(np.int64)).to(self.device)
        vectors, biases = with_bias(net.outputs(rows))
        logits = torch.addmm(biases, h, vectors.T)  # [B, own + others]
        if len(others):  # they stand for all items that are not the batch's own
            logits[:, len(own) :] += math.log((n - len(own)) / len(others))
        log_normaliser = torch.logsumexp(logits, 1)  # [B]
        user = torch.from_numpy(np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))).to(self.device)
        column = torch.from_numpy(np.searchsorted(own, x.indices)).to(self.device)
        log_likelihood = torch.from_numpy(x.data).to(self.device) * (logits[user, column] - log_normaliser[user])
        return -log_likelihood.sum() / x.shape[0]

    @torch.inference_mode()
    def score(self, history: Interactions) -> FloatArray:
        """[B, n_items]: logits of the decoder at the posterior mean."""
        net = self._fitted()
        mu, _ = net.encode(history.matrix(history.recency(self.config.half_life)))
        vectors, biases = with_bias(net.outputs.weight)
        scores: FloatArray = torch.addmm(biases, net.decode(mu), vectors.T).cpu().numpy()
        return scores

    def _fitted(self) -> _Net:
        if self.net is None:
            raise RuntimeError("multvae: used before fit")
        return self.net

    def state(self) -> State:
        """Weights of the net."""
        return {name: value.cpu().numpy() for name, value in self._fitted().state_dict().items()}

    def load(self, state: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        """Take back the weights."""
        self.net = _Net(len(state["inputs.weight"]), self.config.width).to(self.device)
        self.net.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
        return self


def _hide(x: sparse.csr_matrix, share: float, rng: np.random.Generator) -> sparse.csr_matrix:
    """Input dropout: each event is kept with probability 1 − share."""
    keep = rng.random(x.nnz) >= share
    indptr = np.concatenate(([0], np.cumsum(keep)))[x.indptr]
    return sparse.csr_matrix((x.data[keep], x.indices[keep], indptr), shape=x.shape)
