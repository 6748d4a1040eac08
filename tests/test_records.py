"""The log of champions and the verdict on versions, on a real store; who is taken off and who is not."""

import json

import pytest

from recsys import records, tracking
from recsys.records import Move

MODEL = "recsys-toy"


@pytest.fixture
def versions(store):
    """Two versions of a model, without any artifacts."""
    mlflow = tracking.client()
    mlflow.create_registered_model(MODEL)
    for number in (1, 2):
        run = tracking.start("toy", f"run {number}")
        assert int(mlflow.create_model_version(MODEL, f"file:v{number}", run.id).version) == number


def tags(number):
    return tracking.client().get_model_version(MODEL, str(number)).tags


def move(kind, old, new):
    return Move("2026-01-01T00:00:00+00:00", kind, old, new, done=True)


def test_who_is_taken_off():
    assert records.withdrawn([]) == {}
    assert records.withdrawn([move("gate", None, 1), move("gate", 1, 2)]) == {}
    back = move("rollback", 2, 1)
    assert records.withdrawn([move("gate", 1, 2), back, move("gate", 1, 3)]) == {2: back}
    forced = move("forced", 3, 2)
    assert records.withdrawn([back, move("gate", 1, 3), forced]) == {3: forced}, "and 2 is brought back"
    assert records.withdrawn([move("forced", None, 2)]) == {}


def test_a_model_of_two_versions_is_off_when_both_are():
    off, back = move("rollback", 1, 2), move("forced", 2, 3)
    assert records.taken_off([off], [1, 3]) == off
    assert records.taken_off([off, back, move("gate", 3, 4)], [1, 3]) is None, "a person brought it back as 3"
    assert records.taken_off([back, move("forced", 3, 1)], [1, 3]) is None, "one form of it for the other"


def test_moves_in_their_order(versions):
    for old, new in ((None, 1), *((1, 2), (2, 1)) * 6):
        with records.moving(MODEL, "gate", old, new):
            pass
    assert [(one.old, one.new) for one in records.history(MODEL, 1)] == [(None, 1), *((1, 2), (2, 1)) * 6]


@pytest.mark.parametrize("letter", ["ü", "😀", '"'])
def test_the_longest_reason_is_kept_in_any_script(versions, letter):
    why = letter * records.LONGEST_WHY
    with records.moving(MODEL, "forced", None, 1, why):
        pass
    assert [one.why for one in records.history(MODEL, 1)] == [why]
    (tag,) = tracking.client().get_registered_model(MODEL).tags.values()
    assert len(tag) <= 5000  # SQLite would keep more; PostgreSQL does not


def test_a_move_that_was_cut_short(versions):
    """Whether it took effect is what the alias says; the next move takes the place of one that did not."""
    with pytest.raises(KeyboardInterrupt), records.moving(MODEL, "gate", None, 1):
        raise KeyboardInterrupt
    assert records.history(MODEL, None) == []
    assert [one.new for one in records.history(MODEL, 1)] == [1]
    assert records.unfinished(MODEL, None) is None
    assert records.unfinished(MODEL, 1).new == 1
    with records.moving(MODEL, "forced", None, 2, "asked"):
        pass
    assert [(one.kind, one.new) for one in records.history(MODEL, 2)] == [("forced", 2)]
    with pytest.raises(KeyboardInterrupt), records.moving(MODEL, "rollback", 2, 1):
        raise KeyboardInterrupt
    records.finish(MODEL)
    with records.moving(MODEL, "gate", 1, 2):
        pass
    assert [one.kind for one in records.history(MODEL, 2)] == ["forced", "rollback", "gate"]


def test_a_verdict_replaces_the_one_before(versions, tmp_path):
    first = {"promotion.promoted": "false", "promotion.gain": "-0.1", "promotion.guard.coverage_at_10": "…: failed"}
    records.verdict(MODEL, 2, first, 1, {"gain": -0.1})
    records.tag(MODEL, 2, {"promotion.replaced": 1, "hybrid": "weighted"})
    records.verdict(MODEL, 2, {"promotion.promoted": "true", "promotion.gain": "+0.1"}, 1, {"gain": 0.1})
    ours, theirs = tags(2), tags(1)
    assert ours.pop("promotion.time") == theirs.pop("judged.time") > "2020"
    kept = {"promotion.replaced": "1", "hybrid": "weighted"}
    assert ours == {"promotion.promoted": "true", "promotion.gain": "+0.1", **kept}
    assert theirs == {"judged.promoted": "true", "judged.gain": "+0.1", "judged.against": "2"}
    for number, file in ((2, "verdict.json"), (1, "judged/verdict-v2.json")):
        run = tracking.client().get_model_version(MODEL, str(number)).run_id
        with open(tracking.client().download_artifacts(run, file, str(tmp_path))) as text:
            whole = json.load(text)
        assert (whole["version"], whole["against"], whole["gain"]) == (2, 1, 0.1)


def test_without_a_champion_only_the_challenger_is_told(versions):
    records.verdict(MODEL, 2, {"promotion.promoted": "true"}, None, None)
    assert set(tags(2)) == {"promotion.promoted", "promotion.time"}
    assert tags(1) == {}


def test_a_verdict_on_a_version_whose_run_is_gone_is_told_by_its_tags(versions, caplog):
    gone = tracking.client().get_model_version(MODEL, "1").run_id
    tracking.client()._tracking_client.store._hard_delete_run(gone)
    records.verdict(MODEL, 2, {"promotion.promoted": "true"}, 1, {"gain": 0.1})
    assert tags(1)["judged.promoted"] == "true"
    assert caplog.messages == [
        f"run {gone} is gone, and judged/verdict-v2.json with it; the same is said by tags of the version"
    ]
