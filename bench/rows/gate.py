"""The gate's error rates: how often it promotes an equal model, and how often it sees a gain that was planted.

One candidate family, fitted twice with different seeds on a log with a known answer, gives every test user two values
of ndcg@10, most of them 0. A simulated gate draws users with both their values, and for each user tosses a coin which
is the challenger's: over users the two are equal in distribution, whatever the seeds did. Seeds hardly differ, so the
same is done with two models that are as good and disagree: half of the users have a stranger's value under the second.
The real `judge` decides, with the product's defaults. A gain of g is planted by turning so many of the challenger's
misses into hits, with values drawn from its hits, that its mean rises by the share g.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from bench.results import Figure, Options, Result
from bench.sets import ROOT, STORE
from recsys.config import PromotionSection, parse
from recsys.metrics.evaluation import evaluate
from recsys.metrics.segments import user_segments
from recsys.models.table import create
from recsys.promotion import METRIC, Evidence, Side, judge
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import located, prepared_set

SETS = ("",)
SOURCE = "synthetic?users=3000&items=8000&events=60000"
FAMILY = "als"
NOBODY = np.empty(0)
"""No cold users, and nobody who took anything of the tail: only the gain is looked at."""
EQUAL_GATES, EQUAL_USERS = 1000, (20, 50, 100, 200, 500)
GATES, GAINS, USERS = 200, (0.0, 0.025, 0.05, 0.1, 0.15, 0.2), (100, 300, 1000, 3000)
PICTURE = ROOT / "docs" / "img" / "gate-power.png"
Pairs = np.ndarray
"""[U, 2] ndcg@10 of both models."""


def measure(name: str, options: Options) -> Result:
    """Equal models on few and many users, then the power curve."""
    level = (1 - PromotionSection().confidence) / 2
    seeds, strata = two_seeds()
    pairs = disagreeing(seeds)
    sides = {"two seeds": seeds, "two that disagree": pairs}
    equal = {
        kind: {users: promoted(values, users, EQUAL_GATES, strata=strata) for users in EQUAL_USERS}
        for kind, values in sides.items()
    }
    power = {users: [promoted(pairs, users, GATES, gain, strata) for gain in GAINS] for users in USERS}
    allowed = level + 2 * float(np.sqrt(level * (1 - level) / EQUAL_GATES))
    figures = [
        Figure(f"equal models promoted: {kind}, {users} test users", [share], most=round(allowed, 4))
        for kind, shares in equal.items()
        for users, share in shares.items()
    ]
    figures += [
        Figure(f"+{gain:.0%} of ndcg@10 promoted, {users} test users", [power[users][place]])
        for users in USERS
        for place, gain in enumerate(GAINS)
        if gain in (0.1, 0.2)
    ]
    draw(power, level)
    raw = {
        "source": SOURCE,
        "family": FAMILY,
        "ndcg@10": {kind: values.mean(axis=0).tolist() for kind, values in sides.items()},
        "users without a hit": float((seeds == 0).mean()),
        "users served differently": {kind: float((one[:, 0] != one[:, 1]).mean()) for kind, one in sides.items()},
        "equal": {"gates": EQUAL_GATES, "nominal": level, "promoted by users": equal},
        "power": {"gates": GATES, "gains": list(GAINS), "promoted by users": power},
    }
    return Result("gate", "", figures, {"numpy": np.__version__}, raw)


def disagreeing(pairs: Pairs) -> Pairs:
    """The first model beside one as good, under which every other user has the value of somebody else."""
    first = pairs[:, 0]
    generator = np.random.default_rng(0)
    other = np.where(generator.random(len(first)) < 0.5, first, generator.permutation(first))
    return np.stack([first, other], axis=1)


def two_seeds() -> tuple[Pairs, np.ndarray]:
    """ndcg@10 of every test user under both seeds, and whether the user is cold, warm or hot."""
    given = {"name": "gate", "store": str(STORE), "data": {"source": SOURCE}, "split": {"method": "leave_last"}}
    folder, _ = preprocess(located(parse(given)))
    split = prepared_set(folder).split
    known = split.for_test.interactions
    values, judged = [], np.arange(0)
    for seed in (0, 1):
        found = evaluate(create(FAMILY, seed=seed).fit(split.for_test), split.test, known)
        values.append(found.per_user[METRIC])
        judged = found.users
    return np.stack(values, axis=1), user_segments(split.test.select(judged).history)


def promoted(
    pairs: Pairs, users: int, gates: int, gain: float = 0.0, strata: np.ndarray | None = None, **settings: float
) -> float:
    """Share of simulated gates on so many users that promote a challenger with a planted gain.

    Args:
        pairs: real values to draw from.
        users: of each gate's test.
        gates: how many.
        gain: share by which the challenger's mean is raised.
        strata: [U] of the users in `pairs`.
        settings: of `PromotionSection`, where not the defaults.
    """
    config, generator = PromotionSection.model_validate(settings), np.random.default_rng([users, round(1000 * gain)])
    verdicts = []
    for seed in range(gates):
        drawn = generator.integers(len(pairs), size=users)
        challenger, champion = swapped(pairs[drawn], generator)
        challenger = raised(challenger, gain, pairs, generator)
        evidence = Evidence(
            Side("challenger", challenger, 0.5, NOBODY, NOBODY),
            Side("champion", champion, 0.5, NOBODY, NOBODY),
            "champion",
            latency_ms=1.0,
            artifact_mib=1.0,
            strata=None if strata is None else strata[drawn],
        )
        verdicts.append(judge(evidence, config, seed).promoted)
    return float(np.mean(verdicts))


def swapped(pairs: Pairs, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both sides, for each user in an order that a coin decides."""
    coin = generator.integers(2, size=len(pairs))
    rows = np.arange(len(pairs))
    return pairs[rows, coin], pairs[rows, 1 - coin]


def raised(values: np.ndarray, gain: float, pairs: Pairs, generator: np.random.Generator) -> np.ndarray:
    """Values with misses made hits, so many that the mean of the population rises by `gain`."""
    hits = pairs[pairs > 0]
    chance = gain * pairs.mean() / ((pairs == 0).mean() * hits.mean())
    found = (values == 0) & (generator.random(len(values)) < chance)
    return np.where(found, generator.choice(hits, len(values)), values)


def most(gates: int, level: float = 0.025, doubt: float = 0.001) -> float:
    """Largest share of promotions that gates at their nominal level exceed with a probability of `doubt` at most.

    >>> most(400)
    0.0525
    """
    return float(binom.ppf(1 - doubt, gates, level) / gates)


def draw(power: dict[int, Sequence[float]], level: float) -> None:
    """Share promoted by planted gain, a curve for each number of test users."""
    from matplotlib.figure import Figure as Canvas

    from recsys.report.figures import PALE

    canvas = Canvas(figsize=(6.4, 4), layout="constrained")
    axes = canvas.subplots()
    for users, shares in power.items():
        axes.plot(100 * np.array(GAINS), 100 * np.array(shares), marker="o", label=f"{users:,} test users")
    axes.axhline(100 * level, color=PALE, linestyle="--", zorder=0)
    axes.annotate("nominal level of equal models", (20, 100 * level + 1.5), ha="right", fontsize=8)
    axes.set_xlabel("planted gain in ndcg@10, %")
    axes.set_ylabel("challengers promoted, %")
    axes.set_ylim(0, 102)
    axes.legend(frameon=False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(PICTURE, dpi=150)
