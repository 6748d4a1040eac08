"""Every task of every module: a limit, a name, and another try only for what did not answer."""

import importlib
import pkgutil
import time
from types import SimpleNamespace

import pytest
from prefect import Task, flow
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

import tasks
from flows.form import answered
from recsys.config import parse
from recsys.errors import InputError, UnavailableError
from tasks.step import BRIEF, LONG, searching, step

MODULES = [importlib.import_module(f"tasks.{module.name}") for module in pkgutil.iter_modules(tasks.__path__)]
ALL = {one.fn.__qualname__: one for module in MODULES for one in vars(module).values() if isinstance(one, Task)}


@pytest.mark.parametrize("task", ALL.values(), ids=ALL)
def test_every_task_has_a_limit_and_a_name_with_its_subject(task):
    assert task.timeout_seconds in (BRIEF, LONG)
    assert task.task_run_name != task.fn.__name__
    assert " " in task.task_run_name
    assert task.retries
    assert task.retry_condition_fn is not None


def test_these_are_all_tasks():
    assert len(ALL) == 22
    assert {"locate", "validate", "train_candidate", "promote", "publish", "ingest", "watch", "period"} <= set(ALL)


def test_a_search_may_last_as_long_as_it_is_configured_to():
    config = parse({"name": "toy", "data": {"path": "events.csv"}, "tuning": {"timeout": 100_000}})
    assert searching(ALL["train_candidate"], config).timeout_seconds == 100_000 + LONG


@pytest.fixture
def ended(prefect_server):
    """The state in which a flow ends that calls a task with these errors, one a try, and how often it was called."""

    def run(errors, **how):
        left, calls = list(errors), []

        @step("do {what[0]}")
        def body(what):
            calls.append(what)
            if left:
                raise left.pop(0)
            while "seconds" in how:
                time.sleep(0.01)

        changed = body.with_options(retry_delay_seconds=0.1, timeout_seconds=how.get("seconds", BRIEF))

        @flow
        @answered
        def one():
            changed(["this"])

        # Its log would still be on its way when the server ends with the tests.
        with temporary_settings({PREFECT_API_URL: prefect_server.url, PREFECT_LOGGING_TO_API_ENABLED: False}):
            state = one(return_state=True)
        return SimpleNamespace(name=state.name, message=state.message, calls=len(calls))

    return run


def test_what_did_not_answer_is_asked_again(ended):
    done = ended([UnavailableError("nobody there")] * 2)
    assert (done.name, done.calls) == ("Completed", 3)


@pytest.mark.parametrize(
    ("errors", "calls", "message"),
    [
        ([UnavailableError("nobody there")] * 3, 3, "nobody there"),
        ([InputError("no file")], 1, "no file"),
        ([KeyError("ours")], 1, "KeyError: 'ours' (in task do this)"),
        ([ConnectionError("reset")], 1, "ConnectionError: reset (in task do this)"),
    ],
)
def test_the_cause_is_the_first_line_and_bad_input_is_tried_once(ended, errors, calls, message):
    done = ended(errors)
    assert (done.name, done.message, done.calls) == ("Failed", message, calls)


def test_what_hangs_is_ended(ended):
    begun = time.monotonic()
    done = ended([], seconds=3)
    assert (done.name, done.calls) == ("Failed", 1)
    assert "timed out after 3.0 second(s). (in task do this)" in done.message
    assert time.monotonic() - begun < 60
