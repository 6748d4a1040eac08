"""The training log: the file, what came in by feedback, nobody who was forgotten; and the name of all that."""

import logging

import pytest

from recsys.data import prepared
from recsys.data.parts import Counts, folder_of, write_part
from recsys.feedback.database import URL
from recsys.feedback.store import open_store
from recsys.stages import validate as validation
from recsys.stages.log import digest_of, training_log
from recsys.stages.preprocess import preprocess
from recsys.stages.validate import validate
from recsys.stages.workspace import prepared_set, work


@pytest.fixture(autouse=True)
def on_sqlite(monkeypatch):
    monkeypatch.delenv(URL, raising=False)


@pytest.fixture
def came(configure, toy_events):
    """Adds events of user 500 to the parts of the toy log, up to a number."""

    def add(number, events=1):
        config = configure()
        folder = folder_of(config.store, config.name)
        part = toy_events(users=[500], met=8)[:events].assign(event_type="view")
        write_part(folder, number, part, part[:0], Counts(len(part)))

    return add


def forget(config, user):
    with open_store(config.store) as store:
        store.forget(str(user))


def test_without_feedback_it_is_the_file_and_its_name_is_as_ever(configure, tmp_path):
    config = configure()
    assert len(training_log(config).events) == 480
    assert digest_of(config) == prepared.digest_of(config)
    assert not (tmp_path / "store").exists()


def test_feedback_joins_the_file(configure, came):
    came(7, events=3)
    log = training_log(configure())
    assert (len(log.events), log.forgotten) == (483, 0)
    assert log.events["user_id"].dtype == "int64"
    assert log.events["user_id"].tolist()[480:] == [500] * 3
    assert log.events["event_type"].notna().sum() == 3


def test_the_name_changes_with_what_can_be_learnt(configure, came):
    config = configure()
    names = [digest_of(config)]
    came(7)
    names.append(digest_of(config))
    came(9, events=0)
    assert digest_of(config) == names[-1], "impressions only, or everything rejected"
    came(12)
    names.append(digest_of(config))
    forget(config, 500)
    names.append(digest_of(config))
    assert len({*names}) == 4
    assert digest_of(config.model_copy(update={"name": "other"})) != digest_of(config)


@pytest.mark.parametrize("quarantine", [False, True])
def test_who_was_forgotten_is_not_learnt_from(configure, came, tmp_path, caplog, quarantine):
    config = configure(validation={"on_failure": "quarantine"})
    if quarantine:
        with (tmp_path / "events.csv").open("a") as file:
            file.write("1,,77\n")
    came(7, events=3)
    forget(config, 7)
    caplog.set_level(logging.INFO, "recsys")
    report, _ = validate(config)
    assert (report.rows, report.quarantined) == (475 + quarantine, int(quarantine))
    assert "validation: 3 events of the log came in by feedback" in caplog.messages
    assert "validation: 8 more are left out, their users were forgotten" in caplog.messages
    made = prepared_set(preprocess(config)[0])
    assert made.summary["dropped"]["forgotten"] == 8
    assert made.summary["events_read"] == 483
    users = made.split.data.users
    assert users.rows([7, 8, 500]).tolist()[0] == -1
    assert users.rows([8, 500]).min() >= 0
    caplog.clear()
    assert validate(config)[1] is True
    assert "validation: 3 events of the log came in by feedback" in caplog.messages


def test_what_was_set_aside_stays_aside_when_feedback_comes_in_between(configure, came, tmp_path):
    config = configure(validation={"on_failure": "quarantine"})
    with (tmp_path / "events.csv").open("a") as file:
        file.write("1,555,99999999999\n")
    assert validate(config)[0].quarantined == 1
    came(7, events=3)
    data = prepared_set(preprocess(config)[0]).split.data
    assert data.items.rows([101, 555]).tolist()[1] == -1
    assert data.users.rows([500]).tolist() != [-1]


@pytest.mark.parametrize("stage", [validate, preprocess])
def test_a_result_has_the_name_of_what_was_read(configure, came, monkeypatch, stage):
    """Feedback comes in after the name was computed and before the log is read."""
    config = configure()
    waiting = [7]

    def slow(config):
        if waiting:
            came(waiting.pop(), events=3)
        return training_log(config)

    monkeypatch.setattr(validation, "training_log", slow)
    name = digest_of(config)
    stage(config)
    made = work(config, "validated" if stage is validate else "prepared", name)
    assert digest_of(config) != name
    assert not made.exists()
    assert made.with_name(digest_of(config)).is_dir()


def test_a_file_without_a_column_is_left_for_the_contract_to_judge(configure, came, tmp_path, toy_events):
    came(7)
    toy_events().drop(columns="timestamp").to_csv(tmp_path / "events.csv", index=False)
    assert [*training_log(configure()).events.columns] == ["user_id", "item_id"]


def test_a_file_without_types_can_be_weighed_beside_feedback(configure, came):
    came(7, events=3)
    weights = {"view": 2.0, "(none)": 1.0}
    made = prepared_set(preprocess(configure(data={"event_weights": weights}))[0])
    assert sorted({*made.split.data.interactions.weight.tolist()}) == [1.0, 2.0]
