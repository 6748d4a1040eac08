"""The data contract as a suite of expectations, built from the settings in [validation].

A rule has the form Great Expectations gives it: `type`, `kwargs`, `severity`, `description` (the name of the rule)
and `meta`. Two things are ours: a value `"{setting}"` stands for that setting, and `meta.needs` names what must be
there for the rule to be asked at all. `configs/suites/interactions.yaml` is this suite written out, to be edited.
"""

from collections.abc import Collection
from typing import Any, Final

from recsys.data.schema import ITEM, RATING, REQUIRED, TIME, USER

Rule = dict[str, Any]
"""One expectation, in the form of Great Expectations."""

DAY: Final = 86_400
MAX_ID_LENGTH: Final = 256
_LARGEST: Final = str(2**63 - 1)
# Of as many digits as the largest are those that share some with it from the left, and have a smaller one then.
_AS_LONG: Final = (
    rf"{_LARGEST[:shared]}[{0 if shared else 1}-{int(digit) - 1}]\d{{{len(_LARGEST) - shared - 1}}}"
    for shared, digit in enumerate(_LARGEST)
    if digit != "0"
)
PLAIN_INTEGER: Final = rf"0|-?(?:[1-9]\d{{0,17}}|{'|'.join(_AS_LONG)}|{_LARGEST})|{-(2**63)}"
"""Text of a whole number that fits into int64, as it is written plainly."""
SIZES: Final = ("expect_table_row_count_to_be_between", "expect_column_unique_value_count_to_be_between")


def built() -> list[Rule]:
    """The suite of an interaction log, with every setting still a reference."""
    return [*_columns(), *_ids(), *_times(), *_ratings(), *_size(), *_tables()]


def of_part(rules: list[Rule], whole: Collection[str]) -> list[Rule]:
    """What is asked of events that join a log: all but the smallest sizes, which are about a whole log.

    Args:
        rules: the suite of the log.
        whole: id columns that hold nothing but whole numbers in the log; so they shall in what joins it.
    """
    advice = "the log has whole numbers there: send such ids, plainly written (42, not 042)"
    regex, kind = rf"^(?:{PLAIN_INTEGER})$", "expect_column_values_to_match_regex"
    return [
        *(rule for rule in rules if rule["type"] not in SIZES),
        *(_rule(kind, f"{name} is a whole number", advice, column=name, regex=regex) for name in whole),
    ]


def _columns() -> list[Rule]:
    mapping = 'name it in the configuration: [data.columns] {0} = "its name in your file"'
    null = {
        USER: "fill the id in, or drop the rows",
        ITEM: "fill the id in, or drop the rows",
        TIME: "null, unreadable or before the year 1: numbers are read in data.timestamp_unit, text as ISO 8601",
    }
    return [
        *(_rule("expect_column_to_exist", f"{name} exists", mapping.format(name), column=name) for name in REQUIRED),
        *(
            _rule("expect_column_values_to_not_be_null", f"{name} is not null", null[name], column=name)
            for name in REQUIRED
        ),
    ]


def _ids() -> list[Rule]:
    advice = "an id is text or a whole number, without blanks around it and without control characters"
    well_formed = "expect_column_values_to_be_well_formed_ids"
    return [
        _rule(well_formed, f"{name} is well formed", advice, column=name, max_length=MAX_ID_LENGTH)
        for name in (USER, ITEM)
    ]


def _times() -> list[Rule]:
    return [
        _rule(
            "expect_timestamps_to_not_be_in_the_future",
            "timestamp is not in the future",
            "look at data.timestamp_unit (s, ms, us, ns) and at the clock that wrote the events",
            column=TIME,
            skew_seconds=DAY,
        ),
        _rule(
            "expect_column_values_to_be_between",
            "timestamp is not before the earliest",
            "look at data.timestamp_unit, or move validation.earliest",
            column=TIME,
            min_value="{earliest}",
        ),
    ]


def _ratings() -> list[Rule]:
    return [
        _rule(
            "expect_column_values_to_be_numbers",
            "rating is a number",
            "write ratings as numbers, or leave them empty",
            needs=RATING,
            column=RATING,
        ),
        _rule(
            "expect_numbers_to_be_between",
            "rating is in its range",
            "correct the ratings, or move validation.rating_min and validation.rating_max",
            needs=RATING,
            column=RATING,
            min_value="{rating_min}",
            max_value="{rating_max}",
        ),
    ]


def _size() -> list[Rule]:
    distinct = "expect_column_unique_value_count_to_be_between"
    advice = "bring more data, or lower validation.{0}"
    return [
        _rule(
            "expect_table_row_count_to_be_between",
            "there are enough events",
            advice.format("min_events"),
            min_value="{min_events}",
        ),
        _rule(distinct, "there are enough users", advice.format("min_users"), column=USER, min_value="{min_users}"),
        _rule(distinct, "there are enough items", advice.format("min_items"), column=ITEM, min_value="{min_items}"),
        _rule(
            "expect_repeated_rows_fraction_to_be_at_most",
            "repeated rows are few",
            "was the export run twice? else raise validation.max_duplicate_fraction",
            max_fraction="{max_duplicate_fraction}",
        ),
    ]


def _tables() -> list[Rule]:
    in_reference, unseen = "expect_column_values_to_be_in_reference", "expect_unseen_fraction_to_be_at_most"
    kinds = ((USER, "user"), (ITEM, "item"))
    # People come before anybody has described them, and are answered by their history; an item nobody lists is a slip.
    severity = {"user": "warning", "item": "critical"}
    return [
        *(
            {
                **_rule(
                    in_reference,
                    f"{column} is in the {kind} table",
                    f"add the rows to data.{kind}s, or leave that table out of the configuration",
                    needs=f"{kind}s",
                    column=column,
                    reference=f"{kind}s",
                ),
                "severity": severity[kind],
            }
            for column, kind in kinds
        ),
        *(
            _rule(
                unseen,
                f"never-seen {kind}s are few",
                "is it the right file? else raise validation.max_unseen_fraction",
                needs=f"known_{kind}s",
                column=column,
                reference=f"known_{kind}s",
                max_fraction="{max_unseen_fraction}",
            )
            for column, kind in kinds
        ),
    ]


def _rule(kind: str, name: str, advice: str, needs: str | None = None, **kwargs: Any) -> Rule:
    meta = {"advice": advice} | ({} if needs is None else {"needs": needs})
    return {"type": kind, "kwargs": kwargs, "severity": "critical", "description": name, "meta": meta}
