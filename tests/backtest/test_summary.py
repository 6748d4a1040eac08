"""What a replay came to, by hand."""

import numpy as np
import pandas as pd
import pytest

from recsys.backtest.outcome import Outcome, keep
from recsys.backtest.replay import Period
from recsys.backtest.setting import Setting
from recsys.backtest.summary import Summary, summarize
from recsys.config import parse
from recsys.data.idmap import IdMap
from recsys.errors import InputError
from recsys.report.backtest import picture, totals_table, verdict
from recsys.report.figures import png
from recsys.retraining import Decision


@pytest.fixture
def replay(tmp_path):
    """A replay that is done, of so many periods; in each, (user, frozen, overwrite, loop) by visit."""

    def done(*visited):
        config = parse({"name": "toy", "data": {"path": "log.csv"}, "promotion": {"bootstrap": 200}})
        periods = [Period(number, 10 * number, 10 * number + 10) for number in range(1, len(visited) + 1)]
        setting = Setting(config, tmp_path, pd.DataFrame(), IdMap.of([1]), periods)
        for number, visits in enumerate([[], *visited]):
            outcome = Outcome(
                number=number,
                begin=10 * number,
                end=10 * number + 10,
                served={},
                decision=Decision(retrain=number == 1, reasons=("so it was",)),
                verdict=(),
                champion=1,
                promoted=False,
                champion_since=10,
                overwrite="",
                train_seconds=5.0,
                seconds=6.0,
            )
            users, *worth = zip(*visits, strict=True) if visits else ((), (), (), ())
            ndcg = dict(zip(("frozen", "overwrite", "loop"), map(np.array, worth), strict=True))
            keep(setting, outcome, list(users), ndcg if visits else {})
        return setting

    return done


def test_a_user_counts_once_however_often_they_came(replay):
    ann, bob = ("ann", 0.0, 0.5, 1.0), ("bob", 0.0, 0.0, 0.0)
    found = summarize(replay([ann, ann, bob], [ann]))
    assert (found.whole.users, found.whole.ndcg["loop"].mean) == (2, 0.5)
    assert found.whole.gain["overwrite"].mean == 0.25
    assert (found.late.users, found.late.gain["frozen"].mean) == (1, 1.0)
    assert (found.periods[0].visits, found.periods[0].users) == (3, 2)
    assert (found.retrained, found.promoted, found.refused) == (1, 0, 1)
    assert found.train_seconds == {"frozen": 0.0, "overwrite": 10.0, "loop": 5.0}


def test_periods_in_which_nobody_took_anything_new(replay):
    found = summarize(replay([("ann", 0.0, 0.5, 1.0)], [], []))
    assert [one.users for one in found.periods] == [1, 0, 0]
    assert found.late == found.whole


def test_one_user_has_no_interval_of_the_gain(replay):
    found = summarize(replay([("ann", 0.0, 0.5, 1.0)]))
    assert Summary.model_validate_json(found.model_dump_json()) == found
    assert "+0.5000 (one user, no interval) against always overwrite" in verdict(found)
    assert "1.0000 [0.0000, 1.0000]" in totals_table(found)
    assert png(picture(found))


def test_nobody_took_anything_new_at_all(replay):
    with pytest.raises(InputError, match="in no period of toy did anybody take anything new"):
        summarize(replay([], []))
