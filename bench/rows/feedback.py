"""A million events into a fresh feedback store on SQLite, by `recsys feedback add` as it is typed: JSON lines and CSV.

Impressions with every field but a rating, under random ids, of 100,000 users and 20,000 items: the index of `event_id`
is touched everywhere, and the one of `request_id` has an entry an event. Every batch of 50,000 is on the disk before
the next begins. The processor's seconds stand beside the wall's, which other work on the machine makes longer.
"""

import csv
import json
import os
import random
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.pipeline import RECSYS
from bench.results import Figure, Options, Result
from bench.runner import FitError
from bench.sets import STORE
from recsys.feedback.database import DATABASE, URL
from recsys.report.environment import environment

SETS = ("",)
EVENTS = 1_000_000
SECONDS = 60.0


def measure(name: str, options: Options) -> Result:
    """Hold the wall time of the whole command against the target."""
    return added(EVENTS, STORE / "row-feedback", options)


def added(events: int, folder: Path, options: Options) -> Result:
    """`measure` for so many events, in a folder that is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    figures, raw = [], {}
    for form, path in _files(events, folder).items():
        runs = [_add(path, folder / "store", options.threads) for _ in range(options.runs)]
        wall, processor, mib = (list(values) for values in zip(*runs, strict=True))
        figures += [
            Figure(f"{events:,} events, {form}", wall, most=SECONDS, unit="s"),
            Figure(f"{events:,} events, {form}: processor", processor, unit="s"),
        ]
        raw[form] = {"file, MiB": round(path.stat().st_size / 2**20, 1), "database, MiB": round(mib[0], 1)}
    shutil.rmtree(folder)
    return Result("feedback", "", figures, environment("cpu").versions, raw)


def _add(path: Path, store: Path, threads: int) -> tuple[float, float, float]:
    """Wall and processor seconds of the command, and MiB of the database."""
    shutil.rmtree(store, ignore_errors=True)
    without = {name: value for name, value in os.environ.items() if name != URL}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(RECSYS), "feedback", "add", str(path), "--store", str(store)],
        env={**without, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise FitError(f"{path.name} was not added:\n{done.stderr[-500:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, (store / DATABASE).stat().st_size / 2**20


def _files(events: int, folder: Path) -> dict[str, Path]:
    """The same events in both forms."""
    files = {"JSON lines": folder / "events.jsonl", "CSV": folder / "events.csv"}
    with files["JSON lines"].open("w") as lines, files["CSV"].open("w", newline="") as table:
        writer = None
        for event in _impressions(events):
            if writer is None:
                writer = csv.DictWriter(table, list(event))
                writer.writeheader()
            writer.writerow(event)
            lines.write(json.dumps(event) + "\n")
    return files


def _impressions(events: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(0)
    for number in range(events):
        yield {
            "event_id": f"{rng.getrandbits(128):032x}",
            "user_id": f"u{rng.randrange(100_000)}",
            "item_id": f"i{rng.randrange(20_000)}",
            "event_type": "impression",
            "timestamp": 1_700_000_000 + number,
            "request_id": f"{rng.getrandbits(64):016x}",
            "model_version": "3",
            "position": number % 10 + 1,
            "propensity": 0.5,
        }
