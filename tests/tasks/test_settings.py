"""What is set for Prefect and MLflow before they are imported."""

import os

import pytest

from tasks.settings import settle, settle_terminal


@pytest.fixture
def environment(monkeypatch):
    """An environment without anything in it."""
    empty = {}
    monkeypatch.setattr(os, "environ", empty)
    return empty


def test_nothing_is_sent_and_everything_lies_in_the_store(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settle(tmp_path.relative_to(tmp_path) / "mlruns")
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["PREFECT_HOME"] == str(tmp_path / "mlruns" / "prefect")
    assert "PREFECT_API_URL" not in environment, "a server of the user's own is used where there is one"
    assert "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL" not in environment, "for the command line alone"


def test_what_the_user_has_set_stays(environment, tmp_path):
    environment.update({"PREFECT_HOME": "elsewhere", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "7"})
    settle(tmp_path)
    settle_terminal()
    assert environment["PREFECT_HOME"] == "elsewhere"
    assert environment["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] == "7"
    assert environment["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "CRITICAL"


def test_no_proxy_is_asked_for_this_machine(environment, tmp_path):
    environment.update({"HTTP_PROXY": "http://proxy:8080", "no_proxy": "intranet, localhost", "RECSYS_HOST": "shop"})
    for _ in range(2):
        settle(tmp_path)
        assert environment["no_proxy"] == environment["NO_PROXY"] == "intranet,localhost,127.0.0.1,shop"


@pytest.mark.parametrize("said", [{}, {"http_proxy": "http://proxy:8080", "NO_PROXY": "*"}])
def test_where_none_would_be_asked_anyway_nothing_is_said(environment, tmp_path, said):
    environment.update(said)
    settle(tmp_path)
    assert {name: value for name, value in environment.items() if name.lower().endswith("_proxy")} == said
