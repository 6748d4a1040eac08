"""Start a fit, ours or a peer's, in a process of its own: nobody's threads, caches or memory are another's."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.exchange import Fit, Task
from bench.sets import ROOT

PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
OURS = "bench.fit_ours"


class FitError(Exception):
    """A fit ended in an error; the message ends with its last lines."""


def fit_ours(task: Task, module: str = OURS) -> Fit:
    """Fit the candidate that `task.params` describes; see `bench.fit_ours`, or the module that takes its place."""
    return _run(Path(sys.executable), module, task)


def fit_peer(name: str, task: Task) -> Fit:
    """Fit a peer by its script `bench/peers/NAME.py`."""
    if not PEER_PYTHON.is_file():
        raise FitError(f"{name}: the peers' environment is missing; `make bench` installs it")
    return _run(PEER_PYTHON, f"bench.peers.{name}", task)


def _run(python: Path, module: str, task: Task) -> Fit:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
        task.write(source)
        command = [str(python), "-m", module, str(source), str(target)]
        limits = {f"{library}_NUM_THREADS": str(task.threads) for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **limits}, capture_output=True, text=True)
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise FitError(f"{module} ended with {done.returncode}:\n{last}")
        return Fit.read(target)
