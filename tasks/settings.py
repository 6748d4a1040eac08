"""Settings of Prefect and MLflow that must be in the environment before either is imported; the user's own win."""

import os
from pathlib import Path

from recsys.addresses import bypass_proxies

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Telemetry, off."""

RELIABLE = {
    # A cold start of the temporary server takes longer than the default 20 s on a small machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # One write transaction a task event makes SQLite refuse others with 503; batches do not.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    # Seconds, the least that Prefect takes: a run that vanishes is told by its silence (flows/deployments.py).
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    # The library's own log lines appear on the run page.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "recsys",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


def settle(store: Path) -> None:
    """Set what is not set; Prefect's own files go under the store unless PREFECT_HOME or PREFECT_API_URL say else.

    No proxy is asked for servers of this machine.
    """
    for name, value in (QUIET | RELIABLE).items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(store.absolute() / "prefect"))
    bypass_proxies(os.environ.get("RECSYS_HOST", ""))


def settle_terminal() -> None:
    """For the command line: Prefect's own lines stay on the run page, the terminal shows the library's."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
