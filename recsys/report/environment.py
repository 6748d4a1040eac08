"""Where a run took place: interpreter, libraries, machine, commit."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from recsys.report.scorecard import EnvironmentRecord

LIBRARIES = (
    "great-expectations",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "prefect",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "torch",
)


def environment(device: str) -> EnvironmentRecord:
    """Describe this process, with the device its models are trained on."""
    return EnvironmentRecord(
        python=platform.python_version(),
        platform=platform.platform(terse=True),
        versions={name: version(name) for name in LIBRARIES},
        cpus=_cpus(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        device=device,
        commit=commit(Path(__file__).parents[2]),
    )


def commit(root: Path) -> str | None:
    """Short commit of the clone at `root`; none where that is no clone, or where git is missing.

    >>> commit(Path(__file__).parent) is None  # inside a clone, but not its root
    True
    """
    # Without this look, a package installed inside somebody else's repository would report that one's commit.
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpus() -> int:
    # macOS has no affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
