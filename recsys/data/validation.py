"""Stage 1: contract → suite → checkpoint → report. The only door to Great Expectations."""

import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from recsys.config import ValidationSection
from recsys.data import suite, validation_page
from recsys.data.contract import Rule
from recsys.data.idmap import IdMap
from recsys.data.schema import RATING
from recsys.data.validation_frames import id_maps, judged, set_aside, typed
from recsys.data.validation_report import (
    EXAMPLES,
    ContractError,
    RuleResult,
    ValidationReport,
    explain,
    rule_result,
)
from recsys.errors import InputError

__all__ = ["ContractError", "RuleResult", "ValidationReport", "validate"]

PAGE, DOCS, QUARANTINE = "validation.html", "data_docs", "quarantine.parquet"
# Without the second, the positions of all bad rows are written out as text even for a summary.
FORMAT = {"partial_unexpected_count": EXAMPLES, "return_unexpected_index_query": False}


def validate(
    events: pd.DataFrame,
    config: ValidationSection,
    folder: Path,
    *,
    users: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    known_users: "set[Any] | pd.Index[Any] | None" = None,
    known_items: "set[Any] | pd.Index[Any] | None" = None,
    rules: list[Rule] | None = None,
    name: str,
) -> tuple[pd.DataFrame, ValidationReport]:
    """Judge a batch of events by the data contract.

    Args:
        events: columns by their schema names, values as the file holds them; only `timestamp` is parsed already,
            to nullable Int64 seconds (null = null or unreadable). A column may be missing.
        config: the contract; `config.suite` replaces the built suite.
        folder: receives `validation.html` and `data_docs/` whatever the verdict, and `quarantine.parquet`.
        users, items: tables with a `user_id` (`item_id`) column that events must refer to.
        known_users, known_items: ids of the last accepted batch.
        rules: to ask in place of those of `config`.
        name: of the data set, as the page and the errors call it.

    Returns:
        The accepted rows in their order, index from 0: all of them, or with quarantine those that break no rule
        about rows, typed as if the others had never been there. And the report.

    Raises:
        ContractError: a critical rule is broken and quarantine is off, would set aside more than
            `max_bad_fraction`, or leaves rows that still break a rule.
        InputError: the suite is wrong, or a table has no id column.
    """
    start = time.perf_counter()
    events = events.reset_index(drop=True)
    tables = id_maps(users, items, known_users, known_items)
    rules = suite.of(config) if rules is None else rules
    rules = suite.resolve(rules, config, given={*tables, *({RATING} & {*events.columns})})
    view = judged(events)
    folder.mkdir(parents=True, exist_ok=True)
    # Everything is made in a workshop beside its place and moved there whole: nothing is ever half-written.
    with TemporaryDirectory(dir=folder, prefix=".validation-") as workshop:
        results, reasons, problem = _judge(events, view, _Checkpoint(rules, tables, Path(workshop), name), config)
        aside = len(reasons) if problem is None else 0
        report = ValidationReport(
            passed=problem is None,
            rows=len(events),
            accepted=len(events) - aside if problem is None else 0,
            quarantined=aside,
            rules=tuple(results),
            docs=str(folder / DOCS / "index.html"),
            page=str(folder / PAGE),
            quarantine_file=str(folder / QUARANTINE) if aside else None,
            seconds=time.perf_counter() - start,
        )
        if aside:
            set_aside(events, reasons).to_parquet(Path(workshop, QUARANTINE))
        page = validation_page.render(report, view, name, datetime.now(UTC), problem)
        Path(workshop, PAGE).write_text(page, encoding="utf-8")
        for part in (PAGE, DOCS, QUARANTINE):
            _publish(Path(workshop, part), folder / part)
    if problem is not None:
        raise ContractError(explain(name, problem, report, _next_step(results, config)), report)
    return (typed(events.drop(reasons.index).reset_index(drop=True)) if aside else events), report


def _judge(
    events: pd.DataFrame, view: pd.DataFrame, checkpoint: "_Checkpoint", config: ValidationSection
) -> tuple[list[RuleResult], pd.Series, str | None]:
    """Results of all rules, the reason of every row set aside (by its position), and what is wrong if anything.

    What is left after quarantine is judged by the whole suite again: it may be too small now, for one.
    """
    results = checkpoint.run(view, events, "as received")
    blocking = [result for result in results if result.blocks]
    bad_rows = {result.rule for result in blocking if result.scope == "row"}
    none = pd.Series(dtype="str")
    if not blocking:
        return results, none, None
    if config.on_failure == "fail" or not bad_rows:
        rules, rows = f"{len(blocking)} of {len(results)} rules", f"{len(events):,} rows"
        return results, none, f"the data contract is broken; {rules} fail on {rows}, and nothing after it was run"
    reasons = checkpoint.reasons(view, [rule for rule in checkpoint.rules if rule["description"] in bad_rows])
    share = len(reasons) / len(events)
    # Feedback may come in tens: one bad event of ten says nothing about whoever sends them.
    if len(reasons) > config.max_bad_fraction * max(len(events), config.min_events):
        allowed = f"validation.max_bad_fraction lets {config.max_bad_fraction:.1%} be set aside"
        return results, none, f"{len(reasons):,} of {len(events):,} rows ({share:.1%}) break a rule, and {allowed}"
    rest = checkpoint.run(view.drop(reasons.index), events, "after quarantine")
    still = sum(result.blocks for result in rest)
    merged = [
        first if first.rule in bad_rows and not then.blocks else then for first, then in zip(results, rest, strict=True)
    ]
    problem = f"{still} of {len(rest)} rules fail even with {len(reasons):,} bad rows set aside" if still else None
    return merged, reasons, problem


class _Checkpoint:
    """The suite in an ephemeral context: runs on frames, writes Data Docs."""

    def __init__(self, rules: list[Rule], tables: Mapping[str, IdMap], folder: Path, name: str) -> None:
        # Four to six seconds and 260 MB: paid only by a run that validates.
        import great_expectations as gx
        from great_expectations.checkpoint import UpdateDataDocsAction
        from great_expectations.data_context.types.base import ProgressBarsConfig

        # It lets itself be heard, whatever the level of all: of a temporary folder that it does not keep.
        logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
        self.rules, self._tables = rules, tables
        self._expectations = {rule["description"]: _expectation(rule) for rule in rules}
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder / DOCS)}
        builder = {"class_name": "SiteBuilder", "show_how_to_buttons": False, "store_backend": store}
        context.update_data_docs_site(
            "local_site", {**builder, "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"}}
        )
        label = re.sub(r"[^\w.-]+", "-", name)
        asset = context.data_sources.add_pandas("events").add_dataframe_asset(label)
        self._batch = asset.add_batch_definition_whole_dataframe("all")
        expectations = context.suites.add(gx.ExpectationSuite(name=label, expectations=[*self._expectations.values()]))
        definition = gx.ValidationDefinition(name=label, data=self._batch, suite=expectations)
        self._checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name=label,
                validation_definitions=[context.validation_definitions.add(definition)],
                actions=[UpdateDataDocsAction(name="data-docs")],
                result_format={**FORMAT, "result_format": "SUMMARY"},
            )
        )

    def run(self, view: pd.DataFrame, events: pd.DataFrame, moment: str) -> list[RuleResult]:
        """A result a rule, in the order of the suite; examples are shown as `events` has them."""
        from great_expectations.core.run_identifier import RunIdentifier

        from recsys.data.expectations import references

        with references(self._tables):
            outcome = self._checkpoint.run({"dataframe": view}, run_id=RunIdentifier(run_name=moment))
        (run,) = outcome.run_results.values()
        found = {result.expectation_config.description: result for result in run.results}
        return [rule_result(rule, found[rule["description"]], events) for rule in self.rules]

    def reasons(self, view: pd.DataFrame, broken: list[Rule]) -> pd.Series:
        """For every row that breaks one of these rules: the names of all it breaks, by position in the frame."""
        from recsys.data.expectations import references

        reasons = pd.Series("", index=view.index)
        batch = self._batch.get_batch({"dataframe": view})
        complete = {**FORMAT, "result_format": "COMPLETE", "exclude_unexpected_values": True}
        with references(self._tables):
            for rule in broken:
                outcome = batch.validate(self._expectations[rule["description"]], result_format=complete)
                reasons.loc[outcome.result["unexpected_index_list"]] += f"; {rule['description']}"
        return reasons[reasons != ""].str.removeprefix("; ")


def _expectation(rule: Rule) -> Any:
    """The expectation object of a rule.

    Raises:
        InputError: no expectation has this name, or not these arguments.
    """
    from great_expectations.compatibility import pydantic
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    # Registers the expectations of our own.
    import recsys.data.expectations  # noqa: F401 - imported for its effect

    where = f"rule {rule['description']!r}"
    try:
        kind = get_expectation_impl(rule["type"])
    except ExpectationNotFoundError as error:
        near = get_close_matches(rule["type"], list_registered_expectation_implementations(), n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(
            f"{where}: no expectation is called {rule['type']!r}; {hint}All are listed at "
            "https://greatexpectations.io/expectations, ours in recsys/data/expectations.py"
        ) from error
    try:
        return kind(**rule["kwargs"], severity=rule["severity"], description=rule["description"], meta=rule["meta"])
    except pydantic.ValidationError as error:
        wrong = "; ".join(f"{finding['loc'][0]}: {finding['msg']}" for finding in error.errors())
        raise InputError(f"{where}: {rule['type']} does not take these arguments: {wrong}") from error


def _next_step(results: list[RuleResult], config: ValidationSection) -> str:
    mend = "mend the data and run again"
    if config.on_failure == "fail" and any(result.blocks and result.scope == "row" for result in results):
        return f'{mend}, or set bad rows aside with validation.on_failure = "quarantine"'
    return mend


def _publish(made: Path, place: Path) -> None:
    """Move what was made to its place; what was not made is not left there from an earlier run either."""
    if place.is_dir():
        shutil.rmtree(place)
    if made.exists():
        os.replace(made, place)
    else:
        place.unlink(missing_ok=True)
