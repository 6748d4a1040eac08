"""Many runs of ingest and retrain in a row, with new events before each: what grows of memory, threads, files, disk.

`recsys serve-flows` beside a Prefect server on PostgreSQL. Between two rounds, with no run going on, both are looked
at; growth is the slope over the rounds behind the first fifth, in which caches fill. On disk what KEPT names grows on
purpose; everything else has to stay as it is, the folder for temporary files among it.
"""

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psycopg

from bench.results import Figure, Options, Result
from bench.runner import FitError
from bench.sets import ROOT, STORE
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from recsys.report.environment import environment
from tasks.settings import QUIET, RELIABLE
from tests import tiny
from tests.servers import Postgres, Prefect, Server, wait

log = logging.getLogger("bench.soak")

SETS = ("",)
ROUNDS, EVENTS = 50, 20
"""Of an ingest and a retraining each; new events before each."""
LIMITS = {"memory": (0.3, "MiB"), "threads": (0.1, ""), "open": (0.1, ""), "disk": (0.01, "MiB")}
"""By the kind of what is looked at: the target of its growth a round, and its unit."""
MIB = 2**20
MOST = 5
"""Curves in a panel of the picture."""
STORE_OF_RUNS = "mlruns"
KEPT = {
    "store/work": "results of stages, until `recsys prune`",
    "store/artifacts": "models and reports in MLflow, until `recsys prune`",
    "store/mlflow.db": "runs and trials in MLflow, until `recsys prune`",
    "store/feedback.db": "feedback",
    "store/ingested": "the log that came in",
    "store/soak": "the last report",
    "database of the server": "runs, log lines and events, for as long as docs/retention.md says",
    "logs": "of the server and of serve-flows, for whoever starts them to rotate",
}
"""What grows on purpose, and why."""
PICTURE = ROOT / "docs" / "img" / "soak.png"
CONFIG = tiny.config("soak", trials=1, more="[retrain]\nmin_events = 1\nnew_share = 0.001\n")
Look = dict[str, float]
"""What was seen between two rounds, by what it is."""


class Flows(Server):
    """`recsys serve-flows soak.toml` in a folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        (folder / "soak.toml").write_text(CONFIG, encoding="utf-8")
        program = "import sys; from flows.cli import main; sys.exit(main())"
        super().__init__([sys.executable, "-c", program, "serve-flows", "soak.toml"], folder, settings)

    def answers(self) -> bool:
        """Whether it has said where the forms are."""
        return "Forms, schedules and runs" in self.log.read_text(encoding="utf-8")


def measure(name: str, options: Options) -> Result:
    """All rounds, once, whatever `--runs` says."""
    looks = list(soaked(ROUNDS, STORE / "row-soak", options.threads))
    draw(looks)
    return Result("soak", "", figures(looks), environment("cpu").versions, {"looks": looks, "kept": KEPT})


def soaked(rounds: int, folder: Path, threads: int) -> Iterator[Look]:
    """A look before the first round and after each, in a folder that is removed.

    Raises:
        FitError: a run did not complete.
    """
    shutil.rmtree(folder, ignore_errors=True)
    homes = [folder / name for name in ("prefect", "flows", "temporary")]
    for home in homes:
        home.mkdir(parents=True)
    with ExitStack() as running:
        database = running.enter_context(Postgres()).url()
        prefect = running.enter_context(Prefect(homes[0], database, TMPDIR=str(homes[2])))
        settings = QUIET | RELIABLE | {
            "PREFECT_API_URL": prefect.url, "PREFECT_RUNNER_POLL_FREQUENCY": "1", "TMPDIR": str(homes[2]),
            "OMP_NUM_THREADS": str(threads),
        }  # fmt: skip
        flows = running.enter_context(Flows(homes[1], **settings))
        for number in range(rounds + 1):
            if number:
                _tell(homes[1] / STORE_OF_RUNS, number)
                for flow in ("ingest", "retrain"):
                    ended = prefect.when(prefect.run(f"{flow}/soak"))
                    if ended["state_type"] != "COMPLETED":
                        raise FitError(f"{flow}, round {number}: {ended['state']['message']}")
                log.info("soak: round %d of %d", number, rounds)
            yield _look(prefect, flows, database, homes[2])
    shutil.rmtree(folder)


def figures(looks: list[Look]) -> list[Figure]:
    """Growth a round of everything that was looked at."""
    made = []
    for what in looks[-1]:
        kind, _, of = what.partition(": ")
        kept = KEPT.get(of)
        curve = [look.get(what, 0.0) for look in looks][len(looks) // 5 :]
        slope = float(np.polyfit(range(len(curve)), curve, 1)[0])
        told = f"{curve[0]:,.1f} to {curve[-1]:,.1f} in {len(curve) - 1} rounds"
        limit, unit = LIMITS[kind]
        note = f"{told}; {kept}" if kept else told
        made.append(Figure(f"{what}, a round", [slope], most=None if kept else limit, unit=unit, note=note))
    return made


def draw(looks: list[Look]) -> None:
    """A panel for each kind of what was looked at, the largest, by round."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(9, 6.4), layout="constrained")
    for axes, (kind, (_, unit)) in zip(canvas.subplots(2, 2).flat, LIMITS.items(), strict=True):
        of_kind = [what for what in looks[-1] if what.startswith(kind)]
        for what in sorted(of_kind, key=lambda what: looks[-1][what], reverse=True)[:MOST]:
            axes.plot([look.get(what, 0.0) for look in looks], label=what.partition(": ")[2])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("rounds of ingest and retrain")
        axes.set_ylabel(f"{kind}, {unit}" if unit else kind)
        axes.legend(frameon=False, fontsize=7)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(PICTURE, dpi=150)


def _tell(store: Path, number: int) -> None:
    """New events of strangers into the feedback store, in the taste of nobody."""
    rng = np.random.default_rng(number)
    with open_store(store) as feedback:
        feedback.append(
            (
                Event(f"{number}-{one}", str(1_000 + number), str(rng.integers(60)), "view", 1_700_000_000 + number)
                for one in range(EVENTS)
            ),
            "soak",
        )


def _look(prefect: Prefect, flows: Flows, database: str, temporary: Path) -> Look:
    wait(lambda: len(flows.tree()) == 1, flows.tree)  # the process of a run outlives its run by a moment
    seen: Look = {}
    for name, server in (("server", prefect), ("serve-flows", flows)):
        tree = server.tree()
        seen[f"memory: {name}"] = sum(one.memory_info().rss for one in tree) / MIB
        seen[f"threads: {name}"] = sum(one.num_threads() for one in tree)
        seen[f"open: files of {name}"] = sum(one.num_fds() for one in tree)
    with psycopg.connect(database) as connection:
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        seen["open: connections to PostgreSQL"] = _number(connection, f"SELECT count(*) {others}")
        seen["disk: database of the server"] = _number(connection, "SELECT pg_database_size(current_database())") / MIB
    for entry in (flows.folder / STORE_OF_RUNS).iterdir():
        if size := _mib(entry):  # locks have none
            what = f"disk: store/{entry.name.removesuffix('-wal').removesuffix('-shm')}"
            seen[what] = seen.get(what, 0.0) + size
    seen["disk: temporary files"] = _mib(temporary)
    seen["disk: logs"] = _mib(prefect.log) + _mib(flows.log)
    return seen


def _number(connection: psycopg.Connection, query: str) -> float:
    row = connection.execute(query).fetchone()
    return float(row[0])


def _mib(path: Path) -> float:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file()) / MIB
