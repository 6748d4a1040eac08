"""What a person sees in MLflow who compares runs: which is better on the left, why it might be on the right."""

from typing import Final

from recsys import tracking
from recsys.config import Config
from recsys.promotion import METRIC
from recsys.report.scorecard import Scorecard
from recsys.report.wording import headline

TITLE: Final = "Which is better, and why"
WANTED: Final = "tags.role = 'pipeline'"
COLUMNS: Final = {
    f"metrics.`test/{METRIC}`": 110,
    f"metrics.`test/{METRIC}.low`": 140,
    f"metrics.`test/{METRIC}.high`": 140,
    f"metrics.`test/{METRIC}.gain`": 140,
    "tags.`verdict`": 280,
    "tags.`hybrid`": 280,
    "tags.`settings`": 360,
    "metrics.`test/coverage@10`": 140,
    "metrics.`time/total`": 110,
    "attributes.`Models`": 160,
}
"""Of the view, with their widths in pixels."""
ABOUT: Final = """\
Every run of the pipeline under the configuration `{name}`; under each of them its candidates and hybrids, under a
candidate its trials. {link} lists the runs with the best on top.

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
    columns = {name.replace("@", "_at_"): width for name, width in COLUMNS.items()}
    return tracking.introduce(config.name, ABOUT.format(name=config.name, link="{link}"), TITLE, columns, WANTED)


def settings(config: Config) -> str:
    """What a configuration sets otherwise than by default, where it can change a result; by which runs differ."""
    set_here = config.model_dump(mode="json", exclude_defaults=True, exclude={"name", "store", "data", "backtest"})
    return ", ".join(f"{key}={value}" for key, value in _flat(set_here)) or NOTHING


def outcome(card: Scorecard) -> dict[str, str]:
    """The verdict and the hybrid in a line each, as tags."""
    members = sorted(card.hybrid.weights.items(), key=lambda entry: -entry[1])
    shares = ", ".join(f"{member} {share:.2f}" for member, share in members if share > 0)
    return {"verdict": headline(card.promotion), "hybrid": f"{card.hybrid.chosen}: {shares}"}


def _flat(values: dict[str, object], before: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((before + name, " ".join(map(str, value)) if isinstance(value, list) else value))
    return found
