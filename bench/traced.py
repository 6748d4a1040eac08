"""Quality against time of two trainings in epochs, ours and a peer's: what the rows sasrec and multvae share.

Both train on the train part. After each epoch the watch is stopped and lists are made for a sample of validation
users; the epoch whose lists are best there makes the lists for the test, from train and validation histories. Each
side stops by its own patience, or when its seconds are used up.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import judge, sets
from bench.exchange import Fit, Labels, Task
from bench.paired import alternate, versions
from bench.results import Figure, Options, Result
from bench.runner import fit_ours, fit_peer
from bench.watch import TEST_LISTS
from recsys.code import code_digest
from recsys.config import digest
from recsys.data.dataset import Holdout

OURS = "bench.trace_ours"
TRACES = sets.STORE / "traces"
BENCH = Path(__file__).parent
PATIENCE = 10
"""Epochs without a new best after which ours stops."""
Settings = Mapping[str, Any]
"""What a peer's script reads of `task.params`, `patience` and `epochs` included."""

log = logging.getLogger("bench")


@dataclass(frozen=True)
class Contest:
    """A candidate of ours and its peer."""

    model: str
    """Name of the candidate, and of the row."""
    peer: str
    """Script in `bench/peers`."""
    settings: Callable[[str], Sequence[Settings]]
    """The peer's settings on a set: where there are several, the best on validation in the first run is kept."""
    time_ratio: float
    """Target: our time to the peer's quality over the peer's time to it, at most."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One training, judged."""

    params: dict[str, Any]
    curve: list[tuple[float, float, Labels]]
    """(seconds, validation metric, {"epoch": …}) of each epoch."""
    best: float
    """Validation metric of the best epoch."""
    best_epoch: int
    best_seconds: float
    """When the best epoch was over."""
    test_lists: np.ndarray
    """[V, DEPTH] of the best epoch; judged once the settings are chosen."""
    cut: bool
    """Whether the seconds were used up before the training stopped by itself."""
    memory_mib: float
    versions: dict[str, str]

    def raw(self) -> dict[str, Any]:
        """All but the lists."""
        return {name: value for name, value in vars(self).items() if name != "test_lists"}


def measure(contest: Contest, name: str, options: Options) -> Result:
    """Trace both sides in turn, each run with a seed of its own; both are left with their best epoch."""
    split = sets.load(name)
    validation, test = sets.validation(split), sets.test(split)
    folder = TRACES / f"{contest.model}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    sequel = folder / "sequel.npz"
    test.task(options.threads).write(sequel)
    finished = Result(contest.model, name, []).path
    tried: list[Trace] = []

    def trace(run: int, start: Callable[[Task], Fit], script: str, **params: Any) -> Trace:
        common = {"sequel": str(sequel), "seconds": options.peer_seconds, "seed": run}
        task = validation.task(options.threads, **params, **common)
        fit = _kept(folder, finished, script, task, start)
        found = _judged(fit, validation.holdout, params)
        log.info("%s, run %d: %s %.4f after %.0f s", params, run, judge.METRIC, found.best, found.best_seconds)
        return found

    def ours(run: int) -> Trace:
        return trace(run, partial(fit_ours, module=OURS), "trace_ours.py", model=contest.model, patience=PATIENCE)

    def peer(run: int) -> Trace:
        settings = contest.settings(name) if run == 0 else [max(tried, key=lambda one: one.best).params]
        traces = [trace(run, partial(fit_peer, contest.peer), f"peers/{contest.peer}.py", **one) for one in settings]
        tried.extend(traces if run == 0 else [])
        return max(traces, key=lambda one: one.best)

    first, second = alternate(options.runs, ours, peer)
    return _result(contest, name, options, test.holdout, first, second, tried)


def _kept(folder: Path, finished: Path, script: str, task: Task, start: Callable[[Task], Fit]) -> Fit:
    """A fit, or what an interrupted measurement of the row left of the same one: younger than the last result."""
    code = [(BENCH / file).read_text(encoding="utf-8") for file in ("watch.py", "exchange.py", script)]
    product = code_digest("data", "metrics", "models") if script == "trace_ours.py" else None
    path = folder / f"{digest(task.params, task.threads, code, product)}.npz"
    if path.is_file() and not (finished.is_file() and finished.stat().st_mtime > path.stat().st_mtime):
        log.info("taken from the interrupted measurement: %s", path.name)
        return Fit.read(path)
    fit = start(task)
    draft = path.with_suffix(".draft.npz")
    fit.write(draft)
    draft.replace(path)
    return fit


def _judged(fit: Fit, validation: Holdout, params: dict[str, Any]) -> Trace:
    curve = judge.curve(fit, validation)
    seconds, best, label = max(curve, key=lambda epoch: epoch[1])
    cut = curve[-1][2]["cut"]
    return Trace(params, curve, best, label["epoch"], seconds, fit.extra[TEST_LISTS], cut, fit.memory_mib, fit.versions)


def _result(
    contest: Contest,
    name: str,
    options: Options,
    test: Holdout,
    ours: list[Trace],
    peer: list[Trace],
    tried: list[Trace],
) -> Result:
    cut = sum(trace.cut for trace in peer)
    note = f"the peer was cut after {options.peer_seconds:g} s in {cut} of {len(peer)} runs" if cut else ""
    short = f", peer cut after {options.peer_seconds:g} s" if cut else ""
    reached = [judge.seconds_to(theirs.best, mine.curve) for mine, theirs in zip(ours, peer, strict=True)]

    def both(what: str, key: str, unit: str = "") -> Figure:
        return Figure(what, [getattr(one, key) for one in ours], [getattr(one, key) for one in peer], unit=unit)

    def on_test(side: list[Trace]) -> list[float]:
        return [judge.quality(one.test_lists, test) for one in side]

    figures = [
        Figure(f"test {judge.METRIC}{short}", on_test(ours), on_test(peer), least=1.0, note=note),
        Figure("time to the peer's best validation quality", reached, [one.best_seconds for one in peer],
               most=contest.time_ratio, unit="s", note=note),
        both(f"best validation {judge.METRIC}", "best"),
        both("time to the own best", "best_seconds", unit="s"),
        both("peak memory", "memory_mib", unit="MiB"),
    ]  # fmt: skip
    raw = {
        "peer's settings": peer[0].params,
        "settings tried": [[one.params, round(one.best, 4)] for one in tried],
        "ours": [one.raw() for one in ours],
        "peer": [one.raw() for one in peer],
    }
    return Result(contest.model, name, figures, versions(ours[0].versions, peer[0].versions), raw)
