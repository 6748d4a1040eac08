"""What orchestration costs: a flow of trivial tasks beside plain calls, and the share of a tiny `recsys run`.

On Prefect's server with SQLite and with PostgreSQL, both started for the row, with the product's settings. Every
measurement is a process of its own (`bench/many_tasks.py`). The tiny run takes six candidates, two trials each, from
150 users to a champion in a new store; what its scorecard calls orchestration is all that is not the library's work:
imports, Prefect, MLflow.
"""

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from bench.pipeline import Sections, run_pipeline
from bench.results import Figure, Options, Result
from bench.runner import FitError
from bench.sets import ROOT, STORE
from recsys.report.environment import environment
from tasks.settings import QUIET, RELIABLE
from tests.servers import Postgres, Prefect, inherited

SETS = ("",)
TASKS = 400
TASK_MS, STALL = 20.0, 3.0
"""Targets: of a task, and seconds of an empty flow that follows many."""
TINY: Sections = {
    "data": {"source": "synthetic?users=150&items=60&events=3000&communities=4"},
    "split": {"method": "leave_last"},
    "tuning": {"trials": 2},
    "hybrid": {"folds": 2},
}


def measure(name: str, options: Options) -> Result:
    """Both servers, one after the other."""
    folder = STORE / "row-orchestration"
    shutil.rmtree(folder, ignore_errors=True)
    figures = []
    for kind in ("SQLite", "PostgreSQL"):
        home = folder / kind
        home.mkdir(parents=True)
        with ExitStack() as servers:
            database = servers.enter_context(Postgres()).url() if kind == "PostgreSQL" else None
            figures += cost(kind, servers.enter_context(Prefect(home, database)).url, home, TASKS, TINY, options)
    shutil.rmtree(folder)
    return Result("orchestration", "", figures, environment("cpu").versions)


def cost(kind: str, url: str, home: Path, tasks: int, tiny: Sections, options: Options) -> list[Figure]:
    """Of flows of so many tasks, and of runs of this configuration, on the server at `url`, a `kind` one."""
    settings = QUIET | RELIABLE | {"PREFECT_API_URL": url, "PREFECT_HOME": str(home)}
    runs = [_many(tasks, settings) for _ in range(options.runs)]
    timings = [
        run_pipeline(tiny, home / str(number), options.threads, settings).card["timings"]
        for number in range(options.runs)
    ]
    shares = [100 * seconds["orchestration"] / seconds["total"] for seconds in timings]
    plain = ", ".join(f"{1e6 * run['plain']:.2g}" for run in runs)
    return [
        Figure(
            f"{kind}: a task", [1e3 * run["task"] for run in runs], most=TASK_MS, unit="ms", note=f"a call, µs: {plain}"
        ),
        Figure(f"{kind}: an empty flow", [run["flow"] for run in runs], unit="s"),
        Figure(f"{kind}: an empty flow after {tasks} tasks", [run["after"] for run in runs], most=STALL, unit="s"),
        Figure(f"{kind}: tiny run", [seconds["total"] for seconds in timings], unit="s"),
        Figure(f"{kind}: share of orchestration in it", shares, unit="%"),
    ]


def _many(tasks: int, settings: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.many_tasks", str(tasks)]
    done = subprocess.run(command, cwd=ROOT, env=inherited() | settings, capture_output=True, text=True)
    if done.returncode:
        raise FitError(f"the flow of {tasks} tasks ended with {done.returncode}:\n{done.stderr[-500:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
