"""Items kept out of training."""

import numpy as np
import pytest

from bench import cold
from bench.exchange import DEPTH, Fit
from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions


@pytest.fixture(scope="module")
def kept():
    rng = np.random.default_rng(0)
    histories = [rng.permutation(30)[:8].tolist() for _ in range(40)]
    log = Interactions.of_histories(histories, 40)  # nobody met items 30 to 39
    return cold.keep_out(Dataset(log, IdMap(np.arange(40)), IdMap(np.arange(40))))


def test_a_tenth_of_the_items_somebody_met_is_kept_out(kept):
    assert len(kept.items) == 3
    assert kept.items.max() < 30
    assert not np.isin(kept.part.data.interactions.item, kept.items).any()


def test_the_truth_is_what_was_kept_out_and_the_history_all_else(kept):
    holdout = kept.part.holdout
    assert np.isin(holdout.truth.item, kept.items).all()
    assert holdout.truth.lengths.min() > 0
    assert (holdout.truth.lengths + holdout.history.lengths == 8).all()


def test_a_random_order_is_worth_one(kept):
    """Lists as long as there are items find all of them, as chance does."""
    everything = np.tile(kept.items, (len(kept.part.users), 1))
    nothing = np.full((1, len(everything), DEPTH), -1, np.int32)
    fit = Fit(np.zeros(1), nothing, [{}], 0.0, {}, {"among": everything})
    assert kept.chance == 1
    assert kept.over_chance(fit) == 1
    assert kept.recall_in_all(fit) == 0
