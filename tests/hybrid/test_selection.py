"""Choosing a hybrid among planted ones, and what each member is worth to it."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.config import HYBRIDS, HybridSection
from recsys.hybrid.pool import build_pool
from recsys.hybrid.selection import _cross_validate, _simplest_of_the_best, select
from recsys.hybrid.table import TABLE


@pytest.fixture(scope="module")
def case(planted):
    """Users choose by a and b together; popularity tells them nothing."""
    p = planted(lambda u: (2, 1.5, 0), users=300)
    return p.members, build_pool(p.members, p.holdout, p.tail, size=30)


@pytest.fixture(scope="module")
def selection(case):
    return select(*case, HybridSection(), seed=0)


def test_the_configuration_and_the_table_name_the_same_hybrids():
    assert tuple(TABLE) == HYBRIDS


def test_the_choice_beats_every_member(selection, case):
    _, pool = case
    best_member = max(pool.ndcg(pool.z[:, m]).mean() for m in range(3))
    assert selection.cross_validated[selection.chosen] > best_member + 0.05


def test_all_configured_methods_are_compared(selection):
    assert tuple(selection.cross_validated) == HYBRIDS
    assert selection.cross_validated["switching"] < selection.cross_validated[selection.chosen]


def test_of_what_cannot_be_told_apart_the_first_is_chosen():
    """`late` gains 0.1 on `early` with a standard error of 0.1 / √16, four of them; then 0.1 / √2, less than two."""
    early, late = np.zeros(16), np.tile([0.2, 0.0], 8)
    assert _simplest_of_the_best({"early": early, "late": late}) == "late"
    assert _simplest_of_the_best({"early": early[:2], "late": late[:2]}) == "early"
    assert _simplest_of_the_best({"late": late[:2], "early": early[:2]}) == "late"


def test_leaving_out_what_users_choose_by_costs_and_leaving_out_noise_does_not(selection):
    assert selection.ablation["a"] < selection.ablation["b"] < -0.02
    assert selection.ablation["popularity"] > -0.01


def test_all_hybrids_come_fitted_on_all_users(selection, case):
    members, pool = case
    assert tuple(selection.hybrids) == HYBRIDS
    for name, hybrid in selection.hybrids.items():
        again = TABLE[name](members).fit_pool(pool)
        np.testing.assert_array_equal(hybrid.pool_scores(pool), again.pool_scores(pool))


def test_no_user_is_judged_by_weights_fitted_on_them(case):
    """The first fold's values are those of weights fitted on the second."""
    members, pool = case
    fold = np.arange(pool.n_users) % 2
    values = _cross_validate("weighted", members, pool, fold)
    part = pool.select(fold == 0)
    hybrid = TABLE["weighted"](members).fit_pool(pool.select(fold == 1))
    np.testing.assert_array_equal(values[fold == 0], part.ndcg(hybrid.pool_scores(part)))


def test_strangers_are_judged_by_popularity_and_teach_nothing(case):
    members, pool = case
    strangers = np.arange(pool.n_users) < 100
    pool = replace(pool, length=np.where(strangers, 0, pool.length))
    fold = np.arange(pool.n_users) % 2
    values = _cross_validate("weighted", members, pool, fold)
    np.testing.assert_array_equal(values[strangers], pool.ndcg(pool.floor)[strangers])
    without = _cross_validate("weighted", members, pool.select(~strangers), fold[~strangers])
    np.testing.assert_array_equal(values[~strangers], without)


def test_one_member_alone_is_not_ablated(case):
    members, pool = case
    lone = pool.without("popularity").without("b")
    lines = []
    selection = select({"a": members["a"]}, lone, HybridSection(methods=("weighted",)), 0, lines.append)
    assert selection.ablation == {}
    assert lines == [f"weighted: cross-validated ndcg@10 {selection.cross_validated['weighted']:.4f}"]
    assert selection.cross_validated["weighted"] == pytest.approx(lone.ndcg(lone.z[:, 0]).mean(), abs=1e-6)
