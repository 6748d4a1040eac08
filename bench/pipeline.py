"""A whole `recsys run` with the least configuration, as a user starts it: wall time, memory, what it reported."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.runner import FitError

RECSYS = Path(sys.executable).with_name("recsys")
POLL = 0.5
"""Seconds between two looks at the memory."""
Sections = dict[str, Any]
"""A configuration: keys of its own first, then its sections, their keys and values."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What a run left behind."""

    card: dict[str, Any]
    """scorecard.json"""
    per_user: dict[str, np.ndarray]
    """per_user.npz: see `recsys.stages.evaluate.PER_USER`."""
    seconds: float
    """Wall time of the command, from its start to its end."""
    peak_gib: float
    """Largest sum of the resident memory of the command and all its children; what they share counts for each."""


def run_pipeline(
    config: Sections, folder: Path, threads: int, environment: Mapping[str, str] | None = None
) -> Pipeline:
    """Run the pipeline in a folder; one that was run there before goes on with what it finds, as the product does.

    Args:
        folder: gets config.toml, the log of the command, store and report.
        threads: of every library.
        environment: what the command gets besides.

    Raises:
        FitError: the command ended in an error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(_toml(config), encoding="utf-8")
    report = folder / "report"
    command = [str(RECSYS), "run", "config.toml", "--set", "store=store", "--report", str(report)]
    limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
    begun, peak = time.perf_counter(), 0
    with (folder / "run.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **limits, **(environment or {})}, stdout=log, stderr=log
        )
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            time.sleep(POLL)
    seconds = time.perf_counter() - begun
    if process.returncode:
        last = "\n".join((folder / "run.log").read_text(encoding="utf-8").splitlines()[-8:])
        raise FitError(f"recsys run ended with {process.returncode}:\n{last}")
    with np.load(report / "per_user.npz", allow_pickle=False) as arrays:
        per_user = dict(arrays)
    card = json.loads((report / "scorecard.json").read_text(encoding="utf-8"))
    return Pipeline(card, per_user, seconds, peak / 2**30)


def _toml(config: Sections) -> str:
    lines = []
    for key, value in config.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{name} = {json.dumps(held)}" for name, held in value.items())]
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _resident_bytes(root: int) -> int:
    """Resident memory of a process and its descendants, from /proc."""
    parent, resident = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            after_name = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        parent[int(folder.name)] = int(after_name[1])
        resident[int(folder.name)] = int(after_name[21])
    tree = {root}
    while more := {pid for pid, of in parent.items() if of in tree} - tree:
        tree |= more
    return sum(resident.get(pid, 0) for pid in tree) * os.sysconf("SC_PAGE_SIZE")
