"""The data contract: ten kinds of broken input and what they are told, quarantine, suites, the report."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recsys.config import ValidationSection
from recsys.data.validation import ContractError, ValidationReport, validate
from recsys.errors import InputError

FUTURE = 4_102_444_800  # 2100-01-01
CONTRACT = ValidationSection(rating_min=1, rating_max=5)
QUARANTINE = CONTRACT.model_copy(update={"on_failure": "quarantine"})


@pytest.fixture
def events() -> pd.DataFrame:
    """200 events of 20 users and 25 items, no two alike, one a minute."""
    row = np.arange(200)
    return pd.DataFrame(
        {
            "user_id": row % 20,
            "item_id": row % 25,
            "timestamp": pd.array(1_500_000_000 + 60 * row, dtype="Int64"),
            "rating": 1.0 + row % 5,
        }
    )


def put(events: pd.DataFrame, column: str, values: dict[int, object]) -> pd.DataFrame:
    """The events with these cells changed (by position); the column may become one of mixed types."""
    changed = events[column].astype(object)
    for position, value in values.items():
        changed[position] = value
    return events.assign(**{column: changed.infer_objects() if column != "timestamp" else changed.astype("Int64")})


def refusal(events: pd.DataFrame, folder: Path, config: ValidationSection = CONTRACT, **tables: object) -> str:
    """What is said when these events are refused."""
    with pytest.raises(ContractError) as error:
        validate(events, config, folder, name="toy", **tables)
    return str(error.value)


def test_events_that_hold_the_contract_are_accepted(events, tmp_path):
    accepted, report = validate(events, CONTRACT, tmp_path, name="toy")
    pd.testing.assert_frame_equal(accepted, events)
    assert (report.passed, report.rows, report.accepted, report.quarantined) == (True, 200, 200, 0)
    assert report.quarantine_file is None
    assert {rule.rule for rule in report.rules} >= {"user_id is not null", "rating is in its range"}
    assert all(rule.passed and rule.message == "" for rule in report.rules if rule.rule != "repeated rows are few")


class TestTenKindsOfBrokenInput:
    """Each is named by its rule, with the count, the rows and what to do."""

    def test_missing_column(self, events, tmp_path):
        told = refusal(events.drop(columns="item_id"), tmp_path)
        assert "item_id exists: there is no column 'item_id'; there are: user_id, timestamp, rating" in told
        assert '[data.columns] item_id = "its name in your file"' in told
        assert "item_id is not null" not in told  # it follows from the first

    def test_text_in_ratings(self, events, tmp_path):
        told = refusal(put(events, "rating", {3: "good", 7: "x"}), tmp_path)
        assert "rating is a number: 2 of 200 rows break it; write ratings as numbers" in told
        assert "row 4: user_id=3 item_id=3 timestamp=1500000180 (2017-07-14 02:43 UTC) rating='good'" in told
        assert "in its range" not in told

    def test_null_ids(self, events, tmp_path):
        told = refusal(put(events, "user_id", {0: None, 199: None}), tmp_path)
        assert "user_id is not null: 2 of 200 rows break it; fill the id in, or drop the rows" in told
        assert "row 1: user_id=null" in told
        assert "row 200: user_id=null" in told

    def test_future_timestamps(self, events, tmp_path):
        told = refusal(put(events, "timestamp", {10: FUTURE}), tmp_path)
        assert "timestamp is not in the future: 1 of 200 rows break it; look at data.timestamp_unit" in told
        assert "row 11: user_id=10 item_id=10 timestamp=4102444800 (2100-01-01 00:00 UTC) rating=1.0" in told

    def test_duplicates(self, events, tmp_path):
        told = refusal(pd.concat([events, events, events]), tmp_path)
        assert "repeated rows are few: seen 66.7%, allowed: at most 50.0%; was the export run twice?" in told
        assert "row 201: user_id=0" in told

    def test_empty_file(self, events, tmp_path):
        told = refusal(events.iloc[:0], tmp_path)
        assert "there are enough events: seen 0, allowed: at least 100; bring more data" in told

    def test_one_user(self, events, tmp_path):
        told = refusal(events.assign(user_id=7), tmp_path)
        assert "there are enough users: seen 1, allowed: at least 10; bring more data, or lower" in told

    def test_ids_missing_from_the_item_table(self, events, tmp_path):
        told = refusal(events, tmp_path, items=pd.DataFrame({"item_id": range(24)}))
        assert "item_id is in the item table: 8 of 200 rows break it; add the rows to data.items" in told
        assert "row 25: user_id=4 item_id=24" in told
        assert told.count("      row ") == 5

    def test_out_of_range_rating(self, events, tmp_path):
        told = refusal(put(events, "rating", {5: 9.5}), tmp_path)
        assert "rating is in its range: 1 of 200 rows break it (allowed: at least 1.0, at most 5.0)" in told
        assert "rating=9.5" in told

    def test_ids_with_blanks(self, events, tmp_path):
        told = refusal(put(events.astype({"item_id": "str"}), "item_id", {5: " 7", 6: "", 8: "a\tb"}), tmp_path)
        assert "item_id is well formed: 3 of 200 rows break it; an id is text or a whole number" in told
        assert all(shown in told for shown in ("item_id=' 7'", "item_id=''", "item_id='a\\tb'"))


def test_an_error_ends_with_what_to_do_and_where_the_report_is(events, tmp_path):
    told = refusal(put(events, "rating", {3: "good"}), tmp_path)
    assert told.startswith("toy: the data contract is broken; 1 of 15 rules fail on 200 rows")
    assert 'or set bad rows aside with validation.on_failure = "quarantine"' in told
    assert told.endswith(f"Report: {tmp_path / 'validation.html'}")


def test_an_error_stays_short_and_travels_between_processes(tmp_path):
    endless = pd.DataFrame({"user_id": [" " + "u" * 5000] * 300, "item_id": None, "timestamp": None, "rating": "x"})
    with pytest.raises(ContractError) as error:
        validate(endless, CONTRACT, tmp_path, name="toy")
    assert len(str(error.value)) < 5000
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.report) == (str(error.value), error.value.report)


def test_ids_that_are_fractions_are_refused_and_whole_floats_are_not(events, tmp_path):
    floats = events["user_id"].astype(float)
    validate(events.assign(user_id=floats), CONTRACT, tmp_path, name="toy")
    told = refusal(events.assign(user_id=floats.replace(7.0, 7.5)), tmp_path)
    assert "user_id is well formed: 10 of 200 rows break it" in told


def test_text_and_integer_ids_meet_in_a_reference(events, tmp_path):
    items = pd.DataFrame({"item_id": [str(item) for item in range(25)]})
    _, report = validate(events, CONTRACT, tmp_path, items=items, name="toy")
    assert next(rule for rule in report.rules if rule.rule == "item_id is in the item table").passed


def test_a_table_without_its_id_column_is_named(events, tmp_path):
    with pytest.raises(InputError, match="the user table has no column 'user_id'; it has name, age"):
        validate(events, CONTRACT, tmp_path, users=pd.DataFrame(columns=["name", "age"]), name="toy")


def test_never_seen_ids_are_counted_against_the_last_batch(events, tmp_path):
    strict = CONTRACT.model_copy(update={"max_unseen_fraction": 0.2})
    told = refusal(events, tmp_path, strict, known_users=set(range(12)), known_items=set(range(25)))
    assert "never-seen users are few: seen 40.0%, allowed: at most 20.0%; is it the right file?" in told
    assert "never-seen items" not in told


def test_earliest_is_a_date(events, tmp_path):
    late = CONTRACT.model_copy(update={"earliest": "2017-07-14T03:00:00"})
    told = refusal(events, tmp_path, late)
    # The first event is at 02:40:00, so twenty lie before.
    assert "timestamp is not before the earliest: 20 of 200 rows break it (allowed: at least 15000012" in told
    with pytest.raises(InputError, match=r"validation\.earliest is 'soon'; expected an ISO date such as 2015-01-31"):
        validate(events, CONTRACT.model_copy(update={"earliest": "soon"}), tmp_path, name="toy")


def test_ids_of_mixed_types_are_judged_one_by_one(events, tmp_path):
    mixed = put(events.astype({"user_id": float}), "user_id", {0: "u\x00", 1: 2.5, 2: "two", 3: 7})
    told = refusal(mixed, tmp_path)
    assert "user_id is well formed: 2 of 200 rows break it" in told


class TestQuarantine:
    def test_bad_rows_are_set_aside_with_their_reason(self, events, tmp_path):
        broken = put(put(events, "rating", {3: "good", 50: 9}), "timestamp", {3: None})
        accepted, report = validate(broken, QUARANTINE, tmp_path, name="toy")
        assert (report.passed, report.accepted, report.quarantined) == (True, 198, 2)
        pd.testing.assert_frame_equal(accepted, events.drop([3, 50]).reset_index(drop=True))

        aside = pd.read_parquet(report.quarantine_file)
        assert aside["row"].tolist() == [4, 51]
        assert aside["reason"].tolist() == ["timestamp is not null; rating is a number", "rating is in its range"]
        assert aside["rating"].tolist() == ["good", "9"]

    def test_what_is_left_has_the_types_of_a_file_without_bad_rows(self, events, tmp_path):
        snowflakes = events.assign(user_id=(events["user_id"] + 1790000000000000000).astype("str"))
        accepted, _ = validate(put(snowflakes, "user_id", {3: "\t"}), QUARANTINE, tmp_path, name="toy")
        assert accepted["user_id"].dtype == np.int64

    def test_too_many_bad_rows_fail_after_all(self, events, tmp_path):
        told = refusal(put(events, "rating", dict.fromkeys(range(11), 9)), tmp_path, QUARANTINE)
        assert "11 of 200 rows (5.5%) break a rule, and validation.max_bad_fraction lets 5.0% be set aside" in told
        assert not (tmp_path / "quarantine.parquet").exists()

    def test_what_is_left_must_hold_the_rules_about_the_whole_batch(self, events, tmp_path):
        config = QUARANTINE.model_copy(update={"min_events": 200})
        told = refusal(put(events, "rating", {0: "x"}), tmp_path, config)
        assert "1 of 15 rules fail even with 1 bad rows set aside" in told
        assert "there are enough events: seen 199, allowed: at least 200" in told

    def test_a_broken_rule_about_the_batch_is_no_matter_of_rows(self, events, tmp_path):
        assert "there are enough users: seen 1" in refusal(events.assign(user_id=7), tmp_path, QUARANTINE)

    def test_a_clean_run_takes_the_rows_of_an_earlier_one_away(self, events, tmp_path):
        validate(put(events, "rating", {3: "good"}), QUARANTINE, tmp_path, name="toy")
        assert (tmp_path / "quarantine.parquet").exists()
        validate(events, QUARANTINE, tmp_path, name="toy")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data_docs", "validation.html"]


CELLS = {
    "user_id": st.sampled_from([None, "", " 3", "u\x00", 2.5, 7, "seven"]),
    "item_id": st.sampled_from([None, 99, "\t", 3, -1]),
    "timestamp": st.sampled_from([None, FUTURE, 0]),
    "rating": st.sampled_from([None, "x", 0.0, 6.0, float("inf"), "3", 2]),
}
CHANGE = st.sampled_from(sorted(CELLS)).flatmap(
    lambda column: st.tuples(st.just(column), st.integers(0, 199), CELLS[column])
)


# Without shrinking: an example takes two seconds, and the changes of a failing one are few enough to read.
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=st.lists(CHANGE, max_size=40))
def test_every_row_is_accepted_or_set_aside_and_what_is_accepted_holds(events, tmp_path, changes):
    for column, position, value in changes:
        events = put(events, column, {position: value})
    config = QUARANTINE.model_copy(update={"max_bad_fraction": 1.0})
    items = pd.DataFrame({"item_id": range(25)})
    accepted, report = validate(events, config, tmp_path, items=items, name="toy")
    aside = pd.read_parquet(report.quarantine_file) if report.quarantine_file else pd.DataFrame()
    assert len(accepted) + len(aside) == report.accepted + report.quarantined == 200
    assert validate(accepted, CONTRACT, tmp_path, items=items, name="toy")[1].passed


class TestOwnSuite:
    def suite(self, folder: Path, text: str) -> ValidationSection:
        (folder / "suite.yaml").write_text(f"expectations:\n{text}", encoding="utf-8")
        return QUARANTINE.model_copy(update={"suite": str(folder / "suite.yaml")})

    def test_any_expectation_judges_and_sets_aside(self, events, tmp_path):
        text = '  - {type: expect_column_values_to_match_regex, kwargs: {column: item_id, regex: "^[0-9]$"}}'
        config = self.suite(tmp_path, text).model_copy(update={"max_bad_fraction": 1.0})
        accepted, report = validate(events, config, tmp_path, name="toy")
        assert sorted(accepted["item_id"].unique()) == list(range(10))
        assert [rule.rule for rule in report.rules] == ["item_id expect_column_values_to_match_regex"]

    def test_a_warning_is_told_and_stops_nothing(self, events, tmp_path):
        text = "  - {type: expect_table_row_count_to_equal, kwargs: {value: 7}, severity: warning}"
        _, report = validate(events, self.suite(tmp_path, text), tmp_path, name="toy")
        (rule,) = report.rules
        assert (report.passed, rule.passed, rule.observed) == (True, False, "200")

    def test_an_unknown_expectation_names_the_nearest(self, events, tmp_path):
        config = self.suite(tmp_path, "  - {type: expect_column_values_to_be_betwen, kwargs: {column: rating}}")
        with pytest.raises(InputError, match="did you mean expect_column_values_to_be_between"):
            validate(events, config, tmp_path, name="toy")
        assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"]

    def test_wrong_arguments_are_named(self, events, tmp_path):
        config = self.suite(tmp_path, "  - {type: expect_column_values_to_be_between, kwargs: {colum: rating}}")
        with pytest.raises(InputError, match="does not take these arguments: column: field required; colum: extra"):
            validate(events, config, tmp_path, name="toy")

    def test_a_crash_inside_a_metric_is_told_as_such(self, events, tmp_path):
        config = self.suite(tmp_path, "  - {type: expect_column_mean_to_be_between, kwargs: {column: when}}")
        assert "there is no column 'when'; there are: user_id" in refusal(events, tmp_path, config)
        text = "  - {type: expect_column_values_to_be_in_reference, kwargs: {column: user_id, reference: users}}"
        assert "it could not be computed: 'users'" in refusal(events, tmp_path, self.suite(tmp_path, text))


def test_a_report_survives_json(events, tmp_path):
    _, report = validate(put(events, "user_id", {5: " "}), QUARANTINE, tmp_path, name="toy")
    assert ValidationReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    markdown = report.summary_markdown()
    assert markdown.startswith("**Validation passed**: 200 rows, 199 accepted, 1 set aside")
    assert "| ✗ | user_id is well formed | critical | 1 of 200 rows | 1 |" in markdown


def test_page_and_data_docs_are_written_whatever_the_verdict(events, tmp_path):
    _, good = validate(events, CONTRACT, tmp_path / "good", name="toy")
    with pytest.raises(ContractError) as error:
        validate(put(events, "rating", {3: "good"}), CONTRACT, tmp_path / "bad", name="toy")
    for report in (good, error.value.report):
        assert "toy" in Path(report.docs).read_text(encoding="utf-8")
        assert "toy" in Path(report.page).read_text(encoding="utf-8")
        assert sorted(path.name for path in Path(report.page).parent.iterdir()) == ["data_docs", "validation.html"]
