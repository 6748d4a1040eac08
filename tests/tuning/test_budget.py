"""Seconds of a search: who gets how many, and in which order."""

import pytest

from recsys.tuning.budget import Budget


def spent(budget, seconds):
    """What each candidate gets, where it then spends `seconds` of it at most."""
    got = {}
    for name in budget.order:
        got[name] = round(budget.share(name), 3)
        budget.spend(name, min(got[name], seconds[name]))
    return got


def test_as_long_as_nothing_is_known_all_get_the_same_and_what_one_leaves_goes_to_the_rest():
    got = spent(Budget.even(60.0, ["popularity", "als", "sasrec"]), {"popularity": 4.0, "als": 99.0, "sasrec": 99.0})
    assert got == {"popularity": 20.0, "als": 28.0, "sasrec": 28.0}


def test_a_quarter_is_shared_evenly_and_the_rest_by_what_was_earned():
    earned = {"als": 0.0, "ease": 0.2, "fm": 0.0, "sasrec": 0.8}
    got = spent(Budget(160.0, earned, dict.fromkeys(earned, 1.0)), dict.fromkeys(earned, 999.0))
    assert got == {"sasrec": 10.0 + 0.75 * 160 * 0.8, "ease": 10.0 + 0.75 * 160 * 0.2, "als": 10.0, "fm": 10.0}
    assert sum(got.values()) == 160.0


def test_who_needs_least_of_its_part_comes_first_so_that_the_slow_one_hears_what_is_left():
    cost = {"sasrec": 30.0, "popularity": 0.1, "als": 5.0}
    budget = Budget(100.0, {"sasrec": 0.5, "popularity": 0.0, "als": 0.5}, cost)
    assert budget.order == ["popularity", "als", "sasrec"]
    got = spent(budget, {name: 2 * seconds for name, seconds in cost.items()})
    assert got["sasrec"] == pytest.approx(100 - 0.2 - 10)


def test_where_nothing_was_earned_at_all_the_shares_are_even():
    nothing = {"popularity": 0.0, "als": 0.0}
    assert Budget(30.0, nothing, nothing).share("als") == 15.0


def test_a_budget_that_is_overspent_gives_nothing():
    budget = Budget(-3.0, {"als": 1.0}, {"als": 5.0})
    assert budget.share("als") == 0.0


def test_whatever_others_overspend_a_first_look_has_its_even_share():
    budget = Budget.even(60.0, ["ease", "als", "sasrec"])
    budget.spend("ease", 500.0)
    assert budget.share("als") == 20.0
    budget.spend("als", 1.0)
    assert budget.share("sasrec") == 20.0
