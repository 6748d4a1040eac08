"""Suites: the file in configs/ is the built one; settings are filled in, idle rules left out, mistakes named."""

import re
from pathlib import Path

import pytest

from recsys.config import ValidationSection
from recsys.data import contract, suite
from recsys.errors import InputError

WRITTEN_OUT = Path(__file__).parents[2] / "configs" / "suites" / "interactions.yaml"
ALL = {"rating", "users", "items", "known_users", "known_items"}


def test_the_suite_in_configs_is_the_one_that_is_built():
    config = ValidationSection(rating_min=1, rating_max=5, earliest="2000-01-01")
    written, built = suite.read(WRITTEN_OUT), contract.built()
    assert written == built
    assert suite.resolve(written, config, {"rating"}) == suite.resolve(built, config, {"rating"})


def test_every_rule_in_configs_is_commented():
    lines = WRITTEN_OUT.read_text(encoding="utf-8").splitlines()
    start = lines.index("expectations:")
    kinds = {line.split()[-1] for line in lines[start:] if line.startswith("  - type:")}
    commented = {
        after.split()[-1]
        for before, after in zip(lines[start:], lines[start + 1 :], strict=False)
        if before.startswith("  #") and after.startswith("  - type:")
    }
    assert commented == kinds


def test_what_joins_a_log_may_be_small_and_has_ids_like_the_log():
    rules = contract.of_part(suite.of(ValidationSection(suite=str(WRITTEN_OUT))), ["item_id"])
    names = {rule["description"] for rule in rules}
    assert {rule["description"] for rule in contract.built()} - names == {
        f"there are enough {of}" for of in ("events", "users", "items")
    }
    assert names - {rule["description"] for rule in contract.built()} == {"item_id is a whole number"}
    assert suite.of(ValidationSection()) == contract.built()


@pytest.mark.parametrize("edge", [-(2**63), -(10**18), -1, 0, 10**18, 1790000000000000001, 92 * 10**17, 2**63 - 1])
def test_whole_numbers_are_those_of_64_bits(edge):
    for number in range(edge - 20, edge + 21):
        assert bool(re.fullmatch(contract.PLAIN_INTEGER, str(number))) == (-(2**63) <= number < 2**63), number
    for other in (f"0{edge}", f"+{edge}", f"{edge}.0", f" {edge}", f"{edge}0" * 2, "-0", ""):
        assert not re.fullmatch(contract.PLAIN_INTEGER, other), other


def test_settings_are_filled_in():
    config = ValidationSection(rating_min=1, min_events=7, earliest="1970-01-02")
    kwargs = {rule["description"]: rule["kwargs"] for rule in suite.resolve(contract.built(), config, ALL)}
    assert kwargs["there are enough events"] == {"min_value": 7}
    assert kwargs["timestamp is not before the earliest"] == {"column": "timestamp", "min_value": 86_400}
    assert kwargs["rating is in its range"] == {"column": "rating", "min_value": 1.0}


def test_rules_without_their_needs_or_settings_are_not_asked():
    everything = {rule["description"] for rule in contract.built()}
    asked = {rule["description"] for rule in suite.resolve(contract.built(), ValidationSection(), set())}
    assert everything - asked == {
        "timestamp is not before the earliest",
        "rating is a number",
        "rating is in its range",
        "user_id is in the user table",
        "item_id is in the item table",
        "never-seen users are few",
        "never-seen items are few",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expectations: [", "is not valid YAML"),
        ("rules: []", "holds no rules"),
        ("expectations: [5]", "a rule is a mapping with at least a 'type', seen: 5"),
        ("expectations: [{type: a, kwarg: {}}]", "unknown key 'kwarg'; did you mean 'kwargs'"),
        ("expectations: [{type: a, kwargs: 3}]", "'kwargs' and 'meta' are mappings"),
        ("expectations: [{type: a, severity: warn}]", "severity 'warn'; did you mean 'warning'"),
        ("expectations: [{type: a, meta: {needs: item}}]", "needs 'item'; did you mean 'items'"),
        ("expectations: [{type: a}, {type: a}]", "used twice: a"),
    ],
)
def test_a_mistake_in_a_suite_is_named(tmp_path, text, message):
    (tmp_path / "suite.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        suite.read(tmp_path / "suite.yaml")


def test_a_missing_suite_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no suite at .*configs/suites/interactions\.yaml is one to start from"):
        suite.read(tmp_path / "none.yaml")


def test_an_unknown_setting_names_the_nearest():
    rule = {"type": "a", "kwargs": {"min_value": "{min_event}"}, "description": "size", "meta": {}}
    with pytest.raises(InputError, match=r"rule 'size': \{min_event\} is no setting .* did you mean 'min_events'"):
        suite.resolve([rule], ValidationSection(), set())
