"""Rating metrics by hand."""

from math import sqrt

import pytest

from recsys.metrics.rating import accuracy, mae, rmse

PREDICTED, ACTUAL = [4.0, 2.5, 1.0], [3.0, 4.5, 1.0]


def test_hand_arithmetic():
    assert rmse(PREDICTED, ACTUAL) == pytest.approx(sqrt((1**2 + 2**2 + 0**2) / 3))
    assert mae(PREDICTED, ACTUAL) == pytest.approx((1 + 2 + 0) / 3)


def test_accuracy_moves_predictions_to_the_scale():
    # On a scale of half stars 3.3 is 3.5 and 3.2 is 3.0; 9 is the top of the scale.
    assert accuracy([3.3, 3.2, 9.0, 1.0], [3.5, 3.5, 5.0, 1.5], levels=[i / 2 for i in range(1, 11)]) == 2 / 4


@pytest.mark.parametrize("metric", [rmse, mae])
def test_one_prediction_a_rating(metric):
    with pytest.raises(ValueError, match=r"seen guess.shape=\(2,\), truth.shape=\(1,\)"):
        metric([1, 2], [1])
    with pytest.raises(ValueError, match="at least one rating"):
        metric([], [])
