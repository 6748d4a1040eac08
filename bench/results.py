"""What a row found, as JSON: figures against targets, the raw runs, and where they were measured."""

import hashlib
import json
import math
import platform
import statistics
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.sets import ROOT
from recsys.report.environment import commit, environment

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Options:
    """How to measure."""

    runs: int = 3
    """Paired runs of what is timed."""
    threads: int = 2
    trials: int = 10
    """Trials of a search, on each side."""
    peer_seconds: float = 3600.0
    """After which a peer that trains in epochs stops."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: runs of ours and the peer's, and what their ratio has to be."""

    what: str
    ours: list[float]
    peer: list[float] = field(default_factory=list)
    """Empty: there is no peer, ours itself is held against the target."""
    least: float | None = None
    """Target: at least."""
    most: float | None = None
    """Target: at most; without either the figure is told, not judged."""
    unit: str = ""
    note: str = ""

    @property
    def value(self) -> float:
        """Ratio of medians, ours over the peer's; without a peer the median of ours."""
        ours = statistics.median(self.ours)
        if not self.peer:
            return ours
        peer = statistics.median(self.peer)
        return ours / peer if math.isfinite(peer) and peer else math.nan

    @property
    def met(self) -> bool | None:
        """Whether the target is met; none where there is none."""
        if self.least is None and self.most is None:
            return None
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)


@dataclass(frozen=True)
class Result:
    """A row measured on a set, or on data of its own."""

    row: str
    set: str
    """Name of the data set; empty where the row makes its own data."""
    figures: list[Figure]
    versions: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    """Anything else worth keeping: chosen parameters, trials, curves."""
    measured: dict[str, Any] = field(default_factory=dict)
    """date, commit, code, command, machine, cpus, memory_gib, python, threads, runs; filled in by `save`."""

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return RESULTS / ("-".join(filter(None, (self.row, self.set))) + ".json")


def save(result: Result, options: Options) -> Path:
    """Write a result, with where and when it was measured."""
    here = environment("cpu")
    result.measured.update(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(ROOT),
        code=code(),
        command=" ".join(["python -m bench", *sys.argv[1:]]),
        machine=f"{here.platform}, {_processor()}",
        cpus=here.cpus,
        memory_gib=here.memory_gib,
        python=platform.python_version(),
        threads=options.threads,
        runs=max((len(figure.ours) for figure in result.figures), default=options.runs),
    )
    result.path.parent.mkdir(exist_ok=True)
    result.path.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    return result.path


def read(path: Path) -> Result:
    """Read a result back."""
    parts = json.loads(path.read_text(encoding="utf-8"))
    return Result(**{**parts, "figures": [Figure(**figure) for figure in parts["figures"]]})


def read_all() -> list[Result]:
    """All results there are, by file name."""
    return [read(path) for path in sorted(RESULTS.glob("*.json"))]


def current(row: str, name: str) -> Result | None:
    """The row as it was measured on the set by the very code that is here; none where it was not."""
    path = Result(row, name, []).path
    found = read(path) if path.is_file() else None
    return found if found and found.measured["code"] == code() else None


def code() -> str:
    """Digest (16 hex digits) of the product and the bench; unlike a commit it stays when results are committed."""
    files = sorted(path for folder in ("recsys", "bench") for path in (ROOT / folder).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _processor() -> str:
    """Name of the processor, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
