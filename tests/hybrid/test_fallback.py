"""The fallback answers empty histories, and only those."""

import numpy as np

from recsys.data.interactions import Interactions
from recsys.hybrid.fallback import WithFallback


class Constant:
    name = "constant"

    def __init__(self, value):
        self.value = value

    def score(self, history):
        return np.full((history.n_users, history.n_items), self.value, np.float32)

    def fit(self, data):
        self.data = data


def test_empty_histories_get_the_fallback():
    model = WithFallback.of(Constant(1), Constant(2))
    scores = model.score(Interactions.of_histories([[0], [], [1, 2], []], 3))
    assert scores[:, 0].tolist() == [1, 2, 1, 2]
    assert (scores == scores[:, :1]).all()


def test_a_batch_of_strangers_and_one_of_acquaintances():
    model = WithFallback.of(Constant(1), Constant(2))
    assert model.score(Interactions.of_histories([[], []], 3)).tolist() == [[2, 2, 2]] * 2
    assert model.score(Interactions.of_histories([[0]], 3)).tolist() == [[1, 1, 1]]


def test_a_refit_reaches_both():
    model = WithFallback.of(Constant(1), Constant(2))
    assert model.fit("the log") is model
    assert [member.data for member in model.members.values()] == ["the log", "the log"]
