"""What a person sees in MLflow who compares runs: which is better on the left, why it might be on the right."""

from collections.abc import Mapping
from typing import Final

from recsys import tracking
from recsys.config import CANDIDATES, Config
from recsys.promotion import METRIC
from recsys.report.scorecard import Scorecard
from recsys.report.wording import headline
from recsys.retention import PIPELINE

TITLE: Final = "Which is better, and why"
NDCG: Final = METRIC.replace("@", "_at_")
"""As MLflow knows it."""
WANTED: Final = f"tags.role = '{PIPELINE}'"
COLUMNS: Final = {
    f"metrics.`test/{NDCG}`": 150,
    f"metrics.`test/{NDCG}.low`": 160,
    f"metrics.`test/{NDCG}.high`": 160,
    f"metrics.`test/{NDCG}.gain`": 160,
    "tags.`verdict`": 280,
    "tags.`hybrid`": 280,
    "tags.`settings`": 400,
    "metrics.`test/coverage_at_10`": 160,
    "metrics.`time/total`": 110,
    "attributes.`Models`": 160,
}
"""Of the view, with their widths in pixels."""
CHARTS: Final = {
    "Which is better": [f"test/{NDCG}", f"test/{NDCG}.gain", "test/coverage_at_10"],
    "Why: candidates by themselves": [f"tested/{name}" for name in CANDIDATES],
    "Why: weights in the hybrid": [f"weight/{name}" for name in CANDIDATES],
    "Where": [f"test/{NDCG}.{part}" for part in ("cold", "warm", "hot", "head", "tail")],
    "At what cost": ["time/total", "time/train"],
}
"""Of the view, by section."""
ABOUT: Final = """\
**{link}** lists the runs of `{name}`, the best on top. Under each are its candidates and hybrids, under a candidate its
trials.

| metric | what it is |
|---|---|
| `test/…` | on test users, scored once; `.low` and `.high` are the 95% interval, `.gain` is over what was to beat |
| `tested/…`, `weight/…` | of a pipeline: test ndcg@10 of each candidate, and its share in the hybrid |
| `validation/…` | on validation users, on which everything was chosen |
| `search/…`, `training/…` | of a candidate: its best by trial, and its best trial by epoch |
| `time/…` | seconds |
| `system/…` | the machine meanwhile |

Metrics of runs on other data (column *Dataset*) do not compare.
"""
NOTHING: Final = "nothing"


def introduce(config: Config) -> str | None:
    """Say on the experiment's page what its runs are, and save a view that compares them; gives its address."""
    about = ABOUT.format(name=config.name, link="{link}")
    return tracking.introduce(config.name, about, TITLE, COLUMNS, CHARTS, WANTED)


def settings(config: Config) -> str:
    """What a configuration sets otherwise than by default: by this, runs on the same data differ."""
    set_here = config.model_dump(mode="json", exclude_defaults=True, include={"seed", "models", "tuning", "hybrid"})
    return ", ".join(f"{key}={value}" for key, value in flat(set_here).items()) or NOTHING


def outcome(card: Scorecard) -> dict[str, str]:
    """The verdict and the hybrid in a line each, as tags."""
    members = sorted(card.hybrid.weights.items(), key=lambda entry: -entry[1])
    shares = ", ".join(f"{member} {share:.2f}" for member, share in members if share > 0)
    return {"verdict": headline(card.promotion), "hybrid": f"{card.hybrid.chosen}: {shares}"}


def flat(values: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Sections in sections as `section.key`, so that MLflow tells which key differs."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        else:
            found[before + name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return found
