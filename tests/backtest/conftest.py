"""A log that changes under the model: what camps take moves on, so that retraining pays."""

import numpy as np
import pandas as pd
import pytest

from recsys.config import parse

DAY = 86_400


@pytest.fixture(scope="session")
def moving_log():
    """40 days; a third of 90 users comes each day and takes three of the items of their camp's season of ten days."""
    rng = np.random.default_rng(0)
    rows = []
    for day in range(40):
        for user in range(day % 3, 90, 3):
            season = 20 * (day // 10) + 10 * (user % 2)
            rows += [(user, season + item, day * DAY + 60 * turn) for turn, item in enumerate(rng.permutation(10)[:3])]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


@pytest.fixture(scope="session")
def replayed(tmp_path_factory, fresh_database, moving_log):
    """A configuration of that log in a folder of its own."""
    folder = tmp_path_factory.mktemp("replayed")
    moving_log.to_csv(folder / "events.csv", index=False)
    return parse(
        {
            "name": "moving",
            "store": str(folder / "store"),
            "data": {"path": str(folder / "events.csv")},
            "models": {"candidates": ["popularity", "ease"], "device": "cpu"},
            "tuning": {"trials": 1},
            "hybrid": {"methods": ["weighted"], "folds": 2},
            "promotion": {"bootstrap": 200},
            "retrain": {"min_events": 50},
            "backtest": {"start": 0.4, "period_days": 5.0},
        }
    )
