"""Rows whose arithmetic is their own: growth, scoring for everybody, the hybrid against its members."""

import numpy as np
import pytest

from bench import score_all
from bench.exchange import DEPTH
from bench.results import Options
from bench.rows.feedback import added
from bench.rows.growth import slope
from bench.rows.hybrid import compared, pooled
from bench.rows.scoring import histories


def test_time_in_proportion_has_slope_1_and_its_square_2():
    assert slope([1, 3, 10], [5, 15, 50]) == pytest.approx(1)
    assert slope([1, 3, 10], [1, 9, 100]) == pytest.approx(2)


@pytest.fixture
def per_user():
    """Forty users: the hybrid is 0.1 above a everywhere but on the tail, where it is 0.2 below; b is best on test."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0.3, 0.7, 40)
    tail = np.where(np.arange(40) < 20, 0.5, np.nan)
    kept = {"segment": np.repeat([0, 1, 2], [4, 16, 20]), "a": a, "b": a + 0.05, "h": a + 0.1}
    kept |= {f"{name}/head": kept[name] for name in "abh"}
    return kept | {"a/tail": tail, "b/tail": tail - 0.1, "h/tail": tail - 0.2}


def test_the_hybrid_against_its_best_members(per_user):
    figures = {figure.what: figure for figure in compared(per_user, "h", ["a", "b"], "a", least=1.08)}
    over = figures["test ndcg@10 over the best member on validation"]
    assert over.value == pytest.approx(1 + 0.1 / per_user["a"].mean())
    assert (over.note, over.met) == ("a", True)
    assert figures["test ndcg@10 over the best member on test"].note == "b"
    assert figures["lower bound of that gain, best on test"].ours[0] == pytest.approx(0.05)
    assert "cold, ndcg@10" not in figures


def test_a_segment_that_is_below_beyond_doubt_misses(per_user):
    figures = {figure.what: figure for figure in compared(per_user, "h", ["a", "b"], "a", least=None)}
    worst = figures["upper bound of the gain on any segment"]
    assert worst.ours[0] == pytest.approx(-0.2)
    assert (worst.met, worst.note) == (False, "lowest: tail")
    assert figures["lower bound of that gain, best on test"].met is None
    assert figures["tail, ndcg@10"].note == "a; gain -0.2000, 95% interval -0.2000 to -0.2000"


def test_a_segment_of_one_user_is_not_compared(per_user):
    alone = {f"{name}/tail": np.where(np.arange(40) == 7, per_user[f"{name}/tail"], np.nan) for name in "abh"}
    figures = {figure.what: figure for figure in compared(per_user | alone, "h", ["a", "b"], "a", least=None)}
    assert "tail, ndcg@10" not in figures
    assert figures["upper bound of the gain on any segment"].met


def test_runs_of_the_hybrid_are_pooled_to_their_median(per_user):
    better = per_user | {"h": per_user["a"] + 0.2}
    runs = [compared(values, "h", ["a", "b"], "a", least=1.08) for values in (per_user, better, better)]
    figures = {figure.what: figure for figure in pooled(runs)}
    bound = figures["lower bound of that gain, best on test"]
    assert bound.ours == pytest.approx([0.05, 0.15, 0.15])
    assert bound.value == pytest.approx(0.15)
    over = figures["test ndcg@10 over the best member on validation"]
    assert (len(over.ours), len(over.peer), over.note) == (3, 3, "a | a | a")


@pytest.mark.parametrize("model", ["als", "fm"])
def test_both_sides_of_scoring_give_lists_for_everybody(model):
    task = histories(users=40, items=60, threads=1)
    for bare in (False, True):
        task.params.update(model=model, d=8, bare=bare)
        top = (score_all.bare if bare else score_all.product)(task)(task.users)
        assert top.shape == (40, DEPTH)
        seen = task.matrix().toarray() > 0
        assert seen[np.arange(40)[:, None], top].any() == bare, "only the product leaves out what was seen"


def test_both_forms_of_feedback_are_added(tmp_path):
    found = added(300, tmp_path / "row", Options(runs=1, threads=1))
    walls, processors = found.figures[::2], found.figures[1::2]
    assert [figure.what for figure in walls] == ["300 events, JSON lines", "300 events, CSV"]
    assert all(figure.met for figure in walls)
    assert all(figure.met is None and figure.value > 0 for figure in processors)
    assert not (tmp_path / "row").exists()
