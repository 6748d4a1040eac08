"""Stage 1: verdicts that are found again, what quarantine leaves to later stages, the last accepted batch."""

import pandas as pd
import pytest

from recsys.data.validation_report import ContractError
from recsys.stages.preprocess import preprocess
from recsys.stages.validate import accepted_log, validate


def test_the_verdict_on_the_same_bytes_is_found_again(configure, tmp_path, toy_events):
    config = configure()
    report, reused = validate(config)
    assert (report.passed, report.rows, reused) == (True, 480, False)
    again, reused = validate(config)
    assert (again, reused) == (report, True)
    toy_events(met=9).to_csv(tmp_path / "events.csv", index=False)
    assert validate(config)[1] is False, "other bytes, another verdict"
    assert validate(configure(validation={"min_events": 99}))[1] is False, "another contract, another verdict"


def test_what_is_not_accepted_leaves_no_verdict(configure, tmp_path):
    config = configure(validation={"min_events": 1000})
    for _ in range(2):
        with pytest.raises(ContractError, match="there are enough events: seen 480, allowed: at least 1,000"):
            validate(config)
    (folder,) = (tmp_path / "store" / "work" / "validated").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["data_docs", "validation.html"]


def test_later_stages_see_what_quarantine_left(configure, tmp_path, toy_events):
    events = toy_events().astype({"item_id": "Int64"})
    events.loc[[3, 5], "item_id"] = pd.NA
    events.to_csv(tmp_path / "events.csv", index=False)
    config = configure(validation={"on_failure": "quarantine"})
    report, _ = validate(config)
    assert (report.accepted, report.quarantined) == (478, 2)
    left = accepted_log(config).events
    assert len(left) == 478
    assert left["item_id"].dtype == "int64"
    assert validate(config)[1] is True
    assert (preprocess(config)[0] / "log.user.npy").is_file()


def test_a_batch_is_held_against_the_one_accepted_before(configure, tmp_path, toy_events):
    config = configure(validation={"max_unseen_fraction": 0.2})
    validate(config)
    preprocess(config)
    strangers = toy_events(users=range(31, 91))
    strangers.to_csv(tmp_path / "events.csv", index=False)
    with pytest.raises(ContractError, match=r"never-seen users are few: seen 50\.0%, allowed: at most 20\.0%"):
        validate(config)
    few = toy_events(users=range(6, 66))
    few.to_csv(tmp_path / "events.csv", index=False)
    assert validate(config)[0].passed, "5 of 60 users are new"
