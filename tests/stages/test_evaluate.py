"""The test, opened once: every model on the same users, figures that agree with each other."""

import numpy as np
import pytest

from recsys.stages.evaluate import strata


@pytest.fixture
def run(configure, stages):
    return stages(configure())


def test_candidates_and_hybrids_are_measured_alike(run):
    names = ["popularity", "ease", "weighted"]
    assert list(run.tested.metrics) == list(run.tested.segments) == list(run.tested.intervals) == names
    for name in names:
        assert list(run.tested.metrics[name]) == list(run.tested.metrics["ease"])
        low, high = run.tested.intervals[name]["ndcg@10"]
        assert low < run.tested.metrics[name]["ndcg@10"] < high
    assert run.tested.metrics["ease"]["recall@10"] == 1.0, "five items of the own camp are left, one is the truth"


def test_the_gate_gets_a_value_for_every_test_user(run):
    side = run.tested.side("ease", "challenger")
    assert (side.name, side.ndcg.shape) == ("challenger", (60,))
    assert side.ndcg.mean() == pytest.approx(run.tested.metrics["ease"]["ndcg@10"])
    assert side.coverage == run.tested.metrics["ease"]["coverage@10"]
    assert len(side.cold) == 0, "everybody has seven events before the test"


def test_users_are_told_apart_by_length_of_history(run):
    assert strata(run.prepared).tolist() == [2] * 60, "hot"


def test_values_by_user_are_kept_with_their_segments(run):
    with np.load(run.tested.per_user, allow_pickle=False) as kept:
        assert kept["segment"].tolist() == [2] * 60
        for name, segments in run.tested.segments.items():
            assert kept[name].mean() == pytest.approx(run.tested.metrics[name]["ndcg@10"])
            for group in ("head", "tail"):
                values = kept[f"{name}/{group}"]
                assert (~np.isnan(values)).sum() == segments[group]["users"]
                if segments[group]["users"]:
                    assert np.nanmean(values) == pytest.approx(segments[group]["ndcg@10"])


def test_what_changes_the_interval_alone_opens_the_test_again(configure, stages, run):
    again = stages(configure(promotion={"bootstrap": 200, "confidence": 0.8}))
    assert again.reused[-2:] == (True, False)
    assert again.tested.metrics == run.tested.metrics
    (low, high), (lower, higher) = (one.tested.intervals["ease"]["ndcg@10"] for one in (again, run))
    assert lower < low < high < higher
    np.testing.assert_array_equal(again.tested.side("ease", "").ndcg, run.tested.side("ease", "").ndcg)
