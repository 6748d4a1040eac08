"""The soak in short: runs follow each other, everything is looked at, and nothing is left open."""

import pytest

from bench.rows import soak

ROUNDS = 3


@pytest.fixture(scope="module")
def looks(tmp_path_factory, postgresql):
    return list(soak.soaked(ROUNDS, tmp_path_factory.mktemp("soak") / "row", threads=1))


@pytest.mark.timeout(600)
def test_every_round_is_looked_at(looks):
    assert len(looks) == 1 + ROUNDS
    assert {what.partition(": ")[0] for what in looks[-1]} == set(soak.LIMITS)
    assert all(looks[-1][f"memory: {name}"] > 0 for name in ("server", "serve-flows"))


def test_runs_are_kept_and_nothing_else(looks):
    for what, before in looks[1].items():
        kind, _, of = what.partition(": ")
        if kind == "disk" and of not in soak.KEPT:
            assert looks[-1][what] == pytest.approx(before, abs=0.1), what
    assert looks[-1]["disk: store/ingested"] > looks[1]["disk: store/ingested"]
    assert looks[-1]["disk: store/artifacts"] > looks[1]["disk: store/artifacts"]


def test_what_is_open_after_the_first_round_is_about_all_there_will_be(looks):
    """Connections come and go with the server's services, one at a time."""
    for what in ("open: files of serve-flows", "open: connections to PostgreSQL", "threads: serve-flows"):
        assert looks[-1][what] < looks[1][what] + 2 * ROUNDS, what


def test_growth_is_a_slope_behind_the_first_fifth():
    looks = [
        {"memory: server": value, "disk: logs": value} for value in (0, 90, 100, 101, 102, 103, 104, 105, 106, 107)
    ]
    memory, logs = soak.figures(looks)
    assert memory.value == pytest.approx(1)
    assert (memory.note, memory.met) == ("100.0 to 107.0 in 7 rounds", False)
    assert logs.met is None


def test_it_is_drawn(looks, tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "PICTURE", tmp_path / "img" / "soak.png")
    soak.draw(looks)
    assert soak.PICTURE.stat().st_size > 10_000
