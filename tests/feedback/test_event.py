"""Events: what is read from fields, and what is said about fields that make none."""

import pytest

from recsys.feedback.event import Event, MalformedEventError, event_of

NOW = 1_700_000_000
LEAST = {"event_id": "e1", "user_id": "anna", "item_id": "tea", "event_type": "view", "timestamp": 1_699_999_999}


def test_the_least_event():
    assert event_of(LEAST, NOW) == Event("e1", "anna", "tea", "view", 1_699_999_999)


def test_every_field_as_csv_gives_it():
    text = {**LEAST, "timestamp": "1699999999", "rating": "4.5", "request_id": "r1", "model_version": "3"}
    found = event_of({**text, "position": "2", "propensity": "0.25"}, NOW)
    assert found == Event("e1", "anna", "tea", "view", 1_699_999_999, 4.5, "r1", "3", 2, 0.25)


def test_null_and_empty_fields_are_absent():
    assert event_of({**LEAST, "rating": None, "request_id": ""}, NOW) == event_of(LEAST, NOW)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (90.9, 90),
        ("90.9", 90),
        ("1970-01-02", 86_400),
        ("1970-01-01T00:01:30.9Z", 90),
        ("1970-01-01 02:00:00+01:00", 3_600),
        (NOW + 86_400, NOW + 86_400),
    ],
)
def test_timestamps(written, seconds):
    assert event_of({**LEAST, "timestamp": written}, NOW).timestamp == seconds


@pytest.mark.parametrize(("id_", "kept"), [(42, "42"), ("042", "042"), ("Ä ö", "Ä ö"), ("x" * 256, "x" * 256)])
def test_ids(id_, kept):
    assert event_of({**LEAST, "user_id": id_}, NOW).user_id == kept


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"user_id": None}, "user_id missing; every event has event_id, user_id, item_id, event_type, timestamp"),
        ({"user_id": "", "item_id": ""}, "user_id, item_id missing; every event has "),
        ({"propensty": 0.5}, "unknown field 'propensty': did you mean 'propensity'? (allowed: event_id, user_id, "),
        ({"user_id": " anna"}, "user_id is ' anna'; allowed: 1 to 256 characters, no blanks around them"),
        ({"item_id": "x" * 257}, f"item_id is '{'x' * 56}…; allowed: 1 to 256 characters, no blanks around them"),
        ({"item_id": "te\0a"}, r"item_id is 'te\x00a'; allowed: text without control characters"),
        ({"item_id": "te\ud800a"}, r"item_id is 'te\ud800a'; allowed: text without control characters"),
        ({"event_id": 1.5}, "event_id is 1.5; allowed: text, or a whole number"),
        ({"event_id": True}, "event_id is True; allowed: text, or a whole number"),
        ({"event_id": ["e1"]}, "event_id is ['e1']; allowed: text, or a whole number"),
        ({"timestamp": "soon"}, "timestamp is 'soon'; allowed: seconds since 1970, or ISO 8601"),
        ({"timestamp": "inf"}, "timestamp is 'inf'; allowed: seconds since 1970, or ISO 8601"),
        ({"timestamp": -1}, "timestamp is -1; allowed: seconds since 1970, or ISO 8601"),
        ({"timestamp": NOW * 1000}, "timestamp is 1700000000000; allowed: seconds since 1970, or ISO 8601"),
        ({"timestamp": NOW + 864_000}, "timestamp 1700864000 is 10 days in the future; allowed: seconds since 1970, "),
        ({"rating": "good"}, "rating is 'good'; allowed: a finite number"),
        ({"rating": float("nan")}, "rating is nan; allowed: a finite number"),
        ({"rating": 10**400}, "rating is 1000"),
        ({"rating": "1_0"}, "rating is '1_0'; allowed: a finite number"),
        ({"position": 0}, "position is 0; allowed: 1 to 1,000,000"),
        ({"position": 1.5}, "position is 1.5; allowed: a whole number"),
        ({"position": True}, "position is True; allowed: a whole number"),
        ({"propensity": 0}, "propensity is 0.0; allowed: above 0, at most 1"),
        ({"propensity": 1.01}, "propensity is 1.01; allowed: above 0, at most 1"),
        ({"propensity": float("nan")}, "propensity is nan; allowed: above 0, at most 1"),
        ({"event_type": "impression"}, "an impression without request_id; "),
    ],
)
def test_malformed(changed, reason):
    with pytest.raises(MalformedEventError) as told:
        event_of({**LEAST, **changed}, NOW)
    assert str(told.value).startswith(reason)


def test_an_event_made_in_the_program_is_checked_too():
    with pytest.raises(MalformedEventError, match="propensity is 2; allowed: above 0, at most 1"):
        Event("e1", "anna", "tea", "view", 1_699_999_999, propensity=2)
