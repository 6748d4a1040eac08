"""Answers of one period, and the feedback they become."""

import numpy as np
import pandas as pd
import pytest

from recsys.backtest.replay import Period, Visits, in_order, visits
from recsys.backtest.serve import answers, feedback, worth
from recsys.config import parse
from recsys.data.prepare import event_weights
from recsys.serving.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(toy_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    toy_bundle(folder)
    return folder


def test_nobody_is_given_the_answer_of_another(bundle):
    """The second visitor has met all that the model knows, and the third all but three."""
    items = Bundle.load(bundle).data.items
    known = items.values.tolist()
    histories = [known[:4], known, known[3:], ["of old", known[0]]]
    truth = [[known[4]], ["new"], known[:3], ["new"]]
    found = answers(bundle, Visits([1, 2, 3, 4], histories, truth))
    assert found.groupby("question").size().to_dict() == {0: 10, 2: 3, 3: 10}
    assert found["user_id"].tolist() == [1] * 10 + [3] * 3 + [4] * 10
    assert worth(found, Visits([1, 2, 3, 4], histories, truth), items.extend(["new"])).tolist()[1:] == [0.0, 1.0, 0.0]


def test_nobody_came(bundle):
    nobody = Visits([], [], [])
    found = answers(bundle, nobody)
    assert len(found) == 0
    assert len(worth(found, nobody, Bundle.load(bundle).data.items)) == 0


@pytest.mark.parametrize("kinds", [None, ["view", None, None]])
def test_a_response_without_a_type_has_the_weight_that_the_log_gave_it(bundle, kinds):
    log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [101, 102, 103], "timestamp": [5, 7, 9]})
    log = in_order(log if kinds is None else log.assign(event_type=kinds))
    period = Period(1, 6, 10)
    came = visits(log, period, 30)
    events = list(feedback(period, log, came, answers(bundle, came), version=4))
    done = pd.DataFrame({"event_type": [one.event_type for one in events if one.request_id and not one.position]})
    assert len(done) == 2
    data = parse({"data": {"path": "log.csv", "event_weights": {"view": 3, "(none)": 2}}}).data
    assert np.array_equal(event_weights(done, data), [2, 2])
