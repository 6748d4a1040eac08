"""A whole `recsys run` on 200,000 interactions × 12,000 items, every candidate tuned, from path and split alone.

In a new folder each time, so that nothing is found of an earlier run; measured once, whatever `--runs` says.
"""

import shutil

from bench.pipeline import Pipeline, run_pipeline
from bench.results import Figure, Options, Result
from bench.sets import SOURCES, STORE
from recsys.data.sources import fetch

SETS = ("synthetic",)
MINUTES, GIB = 30.0, 6.0


def measure(name: str, options: Options) -> Result:
    """Run, and hold the command's wall time and memory against the targets."""
    return result(name, run(SOURCES[name][0], options.threads))


def run(source: str, threads: int) -> Pipeline:
    """The pipeline on a generated log, from scratch."""
    folder = STORE / "row-run"
    shutil.rmtree(folder, ignore_errors=True)
    events = fetch(source, STORE).events
    return run_pipeline({"data": {"path": str(events)}, "split": {"method": "leave_last"}}, folder, threads)


def result(name: str, done: Pipeline) -> Result:
    """The figures of a run."""
    figures = [
        Figure("whole run", [done.seconds / 60], most=MINUTES, unit="min"),
        Figure("memory of all its processes", [done.peak_gib], most=GIB, unit="GiB"),
        *(Figure(stage, [seconds], unit="s") for stage, seconds in done.card["timings"].items()),
    ]
    models = done.card["models"]
    raw = {
        "dataset": done.card["dataset"],
        "trials": {model: facts["trials"] for model, facts in models.items() if facts["trials"]},
        "tune_seconds": {model: facts["tune_seconds"] for model, facts in models.items() if facts["trials"]},
        "test ndcg@10": {model: facts["test"]["ndcg@10"] for model, facts in models.items()},
        "notes": done.card["notes"],
    }
    return Result("run", name, figures, done.card["environment"]["versions"], raw)
