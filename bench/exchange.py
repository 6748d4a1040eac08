"""What goes to a fit and what comes back, as npz: numpy and scipy only, so that peers can import it."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import sparse

DEPTH = 20
"""Items of a list."""
NO_ITEM = -1
FEATURES = ("item_features", "user_features")
PARTS = ("data", "indices", "indptr", "shape")
Labels = dict[str, Any]
"""What a checkpoint is, such as {"epoch": 3}."""


@dataclass(frozen=True, eq=False)
class Task:
    """One fit: a log, whom to make lists for, and how."""

    user: np.ndarray
    """[N] int32, sorted."""
    item: np.ndarray
    """[N] int32, a user's oldest event first; no pair stands twice."""
    n_users: int
    n_items: int
    users: np.ndarray
    """[U] int32: rows of the users to make lists for. Their history is what the log holds of them."""
    params: dict[str, Any] = field(default_factory=dict)
    """What the script that fits reads: parameters of the model, checkpoints, a limit of seconds."""
    threads: int = 1
    item_features: sparse.csr_matrix | None = None
    """[n_items, f] float32, of ones, where items have attributes."""
    user_features: sparse.csr_matrix | None = None
    """[n_users, g] float32, likewise."""
    time: np.ndarray | None = None
    """[N] int64 as in the log; none: all events happened at once, in the order given."""

    def matrix(self) -> sparse.csr_matrix:
        """[n_users, n_items] float32 CSR, of ones."""
        ones = np.ones(len(self.user), np.float32)
        return sparse.csr_matrix((ones, (self.user, self.item)), shape=(self.n_users, self.n_items))

    def sample(self, users: int = 200) -> "Task":
        """The events of the first users: something small to warm up on, so that no fit pays for the first calls."""
        end = int(np.searchsorted(self.user, users))
        time = None if self.time is None else self.time[:end]
        return replace(self, user=self.user[:end], item=self.item[:end], time=time, users=self.users[:1])

    def write(self, path: Path) -> None:
        """Write to an npz."""
        plain = {"n_users": self.n_users, "n_items": self.n_items, "params": self.params, "threads": self.threads}
        arrays = {"user": self.user, "item": self.item, "users": self.users, "plain": np.array(json.dumps(plain))}
        if self.time is not None:
            arrays["time"] = self.time
        for name in FEATURES:
            matrix = getattr(self, name)
            if matrix is not None:
                arrays |= {f"{name}.{part}": np.asarray(getattr(matrix, part)) for part in PARTS}
        np.savez(path, **arrays)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read back what `write` wrote."""
        with np.load(path) as arrays:
            features = {
                name: sparse.csr_matrix(
                    tuple(arrays[f"{name}.{part}"] for part in PARTS[:3]), shape=tuple(arrays[f"{name}.shape"])
                )
                for name in FEATURES
                if f"{name}.data" in arrays
            }
            plain = json.loads(str(arrays["plain"]))
            rows = {name: arrays[name] for name in ("user", "item", "users", "time") if name in arrays}
            return cls(**rows, **plain, **features)


@dataclass(frozen=True, eq=False)
class Fit:
    """What a fit took and what it recommends, at each of its E checkpoints."""

    seconds: np.ndarray
    """[E] float64 since the fit began; loading, warm-up and the making of lists excluded."""
    top: np.ndarray
    """[E, U, DEPTH] int32 unseen items by rank, -1 = none."""
    labels: list[Labels]
    """What each checkpoint is."""
    memory_mib: float
    """Peak of the fit, over what the process held when it began."""
    versions: dict[str, str]
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    """What a row compares beyond lists."""

    def write(self, path: Path) -> None:
        """Write to an npz."""
        plain = {"labels": self.labels, "memory_mib": self.memory_mib, "versions": self.versions}
        extra = {f"extra.{name}": array for name, array in self.extra.items()}
        np.savez(path, seconds=self.seconds, top=self.top, plain=np.array(json.dumps(plain)), **extra)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read back what `write` wrote."""
        with np.load(path) as arrays:
            extra = {name.removeprefix("extra."): arrays[name] for name in arrays if name.startswith("extra.")}
            return cls(arrays["seconds"], arrays["top"], **json.loads(str(arrays["plain"])), extra=extra)


class Stopwatch:
    """Time and memory of a fit, stopped while lists are made.

    Made when everything is loaded and warm; the fit begins there. Memory is that of the process (Linux): its
    high-water mark, set back after each checkpoint, so that lists do not count.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.top: list[np.ndarray] = []
        self.labels: list[Labels] = []
        _forget_peak()
        self._before, self._peak = _memory_mib()[1], 0.0
        self._begun, self._aside = time.perf_counter(), 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of the fit so far."""
        return time.perf_counter() - self._begun - self._aside

    def checkpoint(self, lists: Callable[[], np.ndarray], **label: Any) -> None:
        """Note the time, then have the lists [U, DEPTH] made with the watch stopped."""
        stopped = time.perf_counter()
        self.seconds.append(stopped - self._begun - self._aside)
        self._peak = max(self._peak, _memory_mib()[0])
        self.top.append(lists().astype(np.int32))
        self.labels.append(label)
        _forget_peak()
        self._aside += time.perf_counter() - stopped

    def fit(self, *packages: str, **extra: np.ndarray) -> Fit:
        """All that was noted, with the versions of these packages."""
        return Fit(
            np.array(self.seconds),
            np.stack(self.top),
            self.labels,
            round(self._peak - self._before, 1),
            {name: version(name) for name in packages},
            extra,
        )


def best_unseen(scores: np.ndarray, seen: sparse.csr_matrix) -> np.ndarray:
    """[B, DEPTH] int32: the best items of scores [B, n_items] that are not in a row of `seen`; for peers without a
    ranking of their own. Changes `scores`."""
    scores[seen.nonzero()] = -np.inf
    depth = min(DEPTH, scores.shape[1])
    first = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    best = np.take_along_axis(scores, first, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    items, best = np.take_along_axis(first, order, axis=1), np.take_along_axis(best, order, axis=1)
    return padded(np.where(best > -np.inf, items, NO_ITEM))


def padded(items: np.ndarray) -> np.ndarray:
    """[B, DEPTH] int32: lists made as long as lists are."""
    return np.pad(items, ((0, 0), (0, DEPTH - items.shape[1])), constant_values=NO_ITEM).astype(np.int32)


def _memory_mib() -> tuple[float, float]:
    """High-water mark and present size of this process.

    Not ru_maxrss: a child inherits its parent's.
    """
    with open("/proc/self/status", encoding="ascii") as status:
        lines: Mapping[str, str] = dict(line.split(":", 1) for line in status)
    return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))


def _forget_peak() -> None:
    """Set the high-water mark back to the present size."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
        control.write("5")


def main(run: Callable[[Task], Fit]) -> None:
    """The whole of a script that fits: `python -m MODULE IN OUT`."""
    source, target = map(Path, sys.argv[1:])
    run(Task.read(source)).write(target)
