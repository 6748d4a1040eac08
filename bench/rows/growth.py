"""How time and memory of a fit grow with the log: 1, 3 and 10 million generated events, users and items in proportion.

Every fit is a process of its own with the product's defaults, EPOCHS long, and is made once, whatever `--runs` says.
Growth is judged per interaction: the time of the largest log over the smallest one's, divided by the ratio of their
interactions, must be at most SLACK. The slope is that of the least-squares line through the logarithms: 1 is growth in
proportion. Prepared by the product, which merges repeated pairs, so that there are fewer interactions than events.
"""

import time
from collections.abc import Sequence

import numpy as np

from bench.exchange import Task
from bench.results import Figure, Options, Result
from bench.runner import fit_ours
from bench.sets import ROOT, STORE
from recsys.config import parse
from recsys.data.sources import fetch
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import located, prepared_set

SETS = ("",)
EVENTS = (1_000_000, 3_000_000, 10_000_000)
MODELS = ("als", "fm", "sasrec")
EPOCHS = 1
COMMUNITY = 625
SLACK = 1.1
PICTURE = ROOT / "docs" / "img" / "growth.png"
Curve = list[float]


def measure(name: str, options: Options) -> Result:
    """Fit every model on every log, and draw the curves."""
    return grown(EVENTS, options)


def grown(events: Sequence[int], options: Options) -> Result:
    """`measure` for these numbers of events, ascending."""
    interactions: Curve = []
    preparing: list[float | None] = []
    seconds: dict[str, Curve] = {model: [] for model in MODELS}
    memory: dict[str, Curve] = {model: [] for model in MODELS}
    versions: dict[str, str] = {}
    for size in events:
        task, prepared_in = prepared(size, options.threads)
        interactions.append(len(task.user))
        preparing.append(prepared_in)
        for model in MODELS:
            task.params.update(model=model, config={"epochs": EPOCHS})
            fit = fit_ours(task)
            seconds[model].append(float(fit.seconds[-1]))
            memory[model].append(fit.memory_mib)
            versions = fit.versions
    figures = []
    for model in MODELS:
        times, mib = seconds[model], memory[model]
        per_interaction = times[-1] / times[0] / (interactions[-1] / interactions[0])
        figures += [
            Figure(f"{model}: growth of time per interaction", [per_interaction], most=SLACK),
            Figure(f"{model}: slope of time", [slope(interactions, times)]),
            Figure(f"{model}: slope of memory", [slope(interactions, mib)]),
            Figure(f"{model}: fit of the largest log", times[-1:], unit="s"),
            Figure(f"{model}: memory of that fit", mib[-1:], unit="MiB"),
        ]
    draw(interactions, seconds, memory)
    raw = {"events": list(events), "interactions": interactions, "preparing, s": preparing, "epochs": EPOCHS,
           "seconds": seconds, "memory, MiB": memory}  # fmt: skip
    return Result("growth", "", figures, versions, raw)


def prepared(events: int, threads: int) -> tuple[Task, float | None]:
    """The log of so many events, and the seconds the product took to prepare it; none where it was prepared before.

    50 events a user, 200 an item, communities of COMMUNITY items: a user's history looks alike at every size.
    """
    items = events // 200
    sizes = {"users": events // 50, "items": items, "events": events, "communities": max(1, items // COMMUNITY)}
    source = "synthetic?" + "&".join(f"{name}={size}" for name, size in sizes.items())
    fetch(source, STORE)
    config = located(parse({"name": "growth", "store": str(STORE), "data": {"source": source}}))
    begun = time.perf_counter()
    folder, reused = preprocess(config)
    spent = None if reused else time.perf_counter() - begun
    data = prepared_set(folder).split.for_test
    log = data.interactions
    somebody = np.zeros(1, np.int32)
    rows = (log.user, log.item, log.n_users, log.n_items, somebody, {}, threads)
    return Task(*rows, data.item_features, log.features, log.time), spent


def slope(sizes: Curve, values: Curve) -> float:
    """Of the line through the logarithms.

    >>> round(slope([1, 10, 100], [3, 30, 300]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def draw(interactions: Curve, seconds: dict[str, Curve], memory: dict[str, Curve]) -> None:
    """Both curves of every model on logarithmic axes, beside growth in proportion."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import NullLocator

    from recsys.report.figures import COLOURS, PALE

    canvas = Canvas(figsize=(9, 3.8), layout="constrained")
    for axes, values, unit in zip(canvas.subplots(1, 2), (seconds, memory), ("seconds", "MiB"), strict=True):
        for model, curve in values.items():
            label = f"{model}, slope {slope(interactions, curve):.2f}"
            axes.loglog(interactions, curve, marker="o", color=COLOURS[model], label=label)
            in_proportion = curve[0] * np.array(interactions) / interactions[0]
            axes.loglog(interactions, in_proportion, color=PALE, linestyle="--", zorder=0)
        axes.set_xticks(interactions, [f"{count / 1e6:.2g} M" for count in interactions])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("interactions")
        axes.set_ylabel(f"{unit} of a fit, epochs: {EPOCHS}")
        axes.legend(frameon=False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(PICTURE, dpi=150)
