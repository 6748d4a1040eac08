"""Lazy Adam: the same as Adam while every row is touched, still where a row is not."""

import torch
from torch import nn

from recsys.models.lazy_adam import LazyAdam

ROWS, D, RATE, DECAY, BETAS = 5, 3, 0.1, 0.2, (0.9, 0.98)


def table(*, sparse):
    torch.manual_seed(0)
    return nn.Embedding(ROWS, D, sparse=sparse)


def learn(weights, optimizer, batches):
    for step, rows in enumerate(batches):
        optimizer.zero_grad()
        (weights(torch.tensor(rows)) ** 2 * (1 + step)).sum().backward()
        optimizer.step()
    return weights.weight.detach()


def test_it_is_adamw_while_every_row_is_in_every_batch():
    """A row that stands twice in a batch gets the sum of its gradients."""
    lazy, dense = table(sparse=True), table(sparse=False)
    adamw = torch.optim.AdamW(dense.parameters(), lr=RATE, weight_decay=DECAY, betas=BETAS)
    batches = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0, 0], [0, 1, 2, 3, 4, 2]]
    expected = learn(dense, adamw, batches)
    torch.testing.assert_close(learn(lazy, LazyAdam([lazy.weight], RATE, DECAY, BETAS), batches), expected)


def test_a_row_no_batch_touches_stays_where_it_was():
    lazy = table(sparse=True)
    before = lazy.weight.detach().clone()
    after = learn(lazy, LazyAdam([lazy.weight], RATE, DECAY, BETAS), [[0, 1], [0, 1], [1]])
    torch.testing.assert_close(after[2:], before[2:], rtol=0, atol=0)
    assert (after[:2] != before[:2]).all()


def test_without_a_gradient_nothing_moves():
    lazy = table(sparse=True)
    before = lazy.weight.detach().clone()
    LazyAdam([lazy.weight], RATE, DECAY, BETAS).step()
    torch.testing.assert_close(lazy.weight.detach(), before, rtol=0, atol=0)
