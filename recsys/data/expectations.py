"""Expectations that Great Expectations does not bring: ids, numbers in text, references, repeated rows.

Each is a metric (what is computed) and an expectation (what is asked of it); importing this module registers them.
Metrics on ids look at every distinct value once, not at every row: the frame judged holds ids as categories.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from recsys.data.idmap import UNKNOWN, IdMap
from recsys.data.schema import BoolArray
from recsys.data.validation_frames import distinct_ids, numbers
from recsys.data.validation_report import EXAMPLES

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Only the key of a reference stands in a suite: ids written into an expectation cost seconds and fill the docs.
_references: ContextVar[Mapping[str, IdMap]] = ContextVar("references")


@contextmanager
def references(tables: Mapping[str, IdMap]) -> Iterator[None]:
    """Ids that expectations may refer to by key, for the length of a `with`."""
    token = _references.set(tables)
    try:
        yield
    finally:
        _references.reset(token)


def is_well_formed(value: object, max_length: int) -> bool:
    """Whether an id is a whole number or tidy text.

    >>> [is_well_formed(value, 4) for value in ("a 1", 7, "", " a", "a\\tb", "abcde", 1.5)]
    [True, True, False, False, False, False, False]
    """
    if not isinstance(value, str):
        return isinstance(value, Integral)
    return 0 < len(value) <= max_length and value == value.strip() and not _CONTROL.search(value)


class WellFormedIds(ColumnMapMetricProvider):
    """True where an id is a whole number or tidy text of at most `max_length` characters."""

    condition_metric_name = "column_values.well_formed_ids"
    condition_value_keys = ("max_length",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, max_length: int, **_: Any) -> pd.Series:
        return _by_distinct(column, lambda ids: np.array([is_well_formed(id_, max_length) for id_ in ids], bool))


class ExpectColumnValuesToBeWellFormedIds(ColumnMapExpectation):
    """Expect ids to be whole numbers, or text without blanks around it and without control characters."""

    map_metric: ClassVar[str] = "column_values.well_formed_ids"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "max_length")
    max_length: int = 256


class InReference(ColumnMapMetricProvider):
    """True where an id is in the reference of this key."""

    condition_metric_name = "column_values.in_reference"
    condition_value_keys = ("reference",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, reference: str, **_: Any) -> pd.Series:
        return _in_reference(column, reference)


class ExpectColumnValuesToBeInReference(ColumnMapExpectation):
    """Expect ids to be in a table given beside the events (`users`, `items`, `known_users`, `known_items`)."""

    map_metric: ClassVar[str] = "column_values.in_reference"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "reference")
    reference: str


class IsNumber(ColumnMapMetricProvider):
    """True where a value is a finite number, or text that reads as one."""

    condition_metric_name = "column_values.is_number"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, **_: Any) -> pd.Series:
        return numbers(column).notna()


class ExpectColumnValuesToBeNumbers(ColumnMapExpectation):
    """Expect finite numbers, or text that reads as one."""

    map_metric: ClassVar[str] = "column_values.is_number"


class NumbersBetween(ColumnMapMetricProvider):
    """False where a number is outside its bounds; text that is no number is another rule's business."""

    condition_metric_name = "column_values.numbers_between"
    condition_value_keys = ("min_value", "max_value")

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, min_value: float | None, max_value: float | None, **_: Any) -> pd.Series:
        low, high = -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value
        value = numbers(column)
        return value.isna() | value.between(low, high)


class ExpectNumbersToBeBetween(ColumnMapExpectation):
    """Expect numbers, also those written as text, within bounds (both included)."""

    map_metric: ClassVar[str] = "column_values.numbers_between"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "min_value", "max_value")
    min_value: float | None = None
    max_value: float | None = None


class NotInFuture(ColumnMapMetricProvider):
    """True where a time (seconds since 1970) is at most now plus the skew."""

    condition_metric_name = "column_values.not_in_future"
    condition_value_keys = ("skew_seconds",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pd.Series, skew_seconds: float, **_: Any) -> pd.Series:
        return column <= time.time() + skew_seconds


class ExpectTimestampsToNotBeInTheFuture(ColumnMapExpectation):
    """Expect times of the past, clocks being wrong by at most `skew_seconds`."""

    map_metric: ClassVar[str] = "column_values.not_in_future"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "skew_seconds")
    skew_seconds: float = 86_400.0


class RepeatedRows(TableMetricProvider):
    """Rows that repeat an earlier row exactly."""

    metric_name = "table.repeated_rows"

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, execution_engine: Any, metric_domain_kwargs: dict[str, Any], **_: Any) -> dict[str, Any]:
        return _share(_frame(execution_engine, metric_domain_kwargs).duplicated())


class UnseenIds(TableMetricProvider):
    """Rows with an id that is not in the reference of this key."""

    metric_name = "table.unseen_ids"
    value_keys = ("column", "reference")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,
        execution_engine: Any,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        ids = _frame(execution_engine, metric_domain_kwargs)[metric_value_kwargs["column"]]
        return _share(ids.notna() & ~_in_reference(ids, metric_value_kwargs["reference"]))


class ExpectRepeatedRowsFractionToBeAtMost(BatchExpectation):
    """Expect few rows to repeat an earlier row exactly."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.repeated_rows",)
    success_keys: ClassVar[tuple[str, ...]] = ("max_fraction",)
    max_fraction: float

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return _at_most(metrics["table.repeated_rows"], self.max_fraction)


class ExpectUnseenFractionToBeAtMost(BatchExpectation):
    """Expect few rows with an id that the reference does not hold."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.unseen_ids",)
    success_keys: ClassVar[tuple[str, ...]] = ("column", "reference", "max_fraction")
    column: str
    reference: str
    max_fraction: float

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return _at_most(metrics["table.unseen_ids"], self.max_fraction)


def _by_distinct(column: pd.Series, judge: Callable[[Any], BoolArray]) -> pd.Series:
    """Judge each distinct value once [N] bool; null is false."""
    ids = (column if isinstance(column.dtype, pd.CategoricalDtype) else distinct_ids(column)).cat
    verdict = np.append(judge(ids.categories), False)
    return pd.Series(verdict[ids.codes.to_numpy()], index=column.index)


def _in_reference(column: pd.Series, reference: str) -> pd.Series:
    ids = _references.get()[reference]
    return _by_distinct(column, lambda distinct: ids.rows(distinct) != UNKNOWN)


def _frame(engine: Any, domain: dict[str, Any]) -> pd.DataFrame:
    return engine.get_compute_domain(domain, domain_type=MetricDomainTypes.TABLE)[0]


def _share(bad: pd.Series) -> dict[str, Any]:
    count, first = int(bad.sum()), bad.index[bad][:EXAMPLES].tolist()
    details = {"rows": len(bad), "bad": count, "first": first}
    return {"observed_value": count / max(len(bad), 1), "details": details}


def _at_most(found: dict[str, Any], max_fraction: float) -> dict[str, Any]:
    return {"success": found["observed_value"] <= max_fraction, "result": found}
