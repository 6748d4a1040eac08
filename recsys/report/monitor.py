"""The report of a look at the feedback store: what each version was worth to those who were shown it, and drift."""

from pathlib import Path

from recsys.data.atomic import new_file
from recsys.report.markdown import NOTHING, table
from recsys.stages.monitor import BANDS, Moved, Rate, Served, Watched

NUMBERS, PAGE = "monitor.json", "monitor.md"
VERSIONS = ("version", "impressions", "requests", "users", "click-through", "coverage", "unknown users", "fallback")


def write_monitor(watched: Watched, folder: Path) -> list[Path]:
    """Write the report in place of an earlier one; each file is whole or the old one."""
    content = {NUMBERS: watched.model_dump_json(indent=1), PAGE: page(watched)}
    for name, text in content.items():
        with new_file(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    return [folder / name for name in content]


def page(watched: Watched) -> str:
    """All of monitor.md, which is the artifact of a run page too."""
    if watched.is_empty:
        return f"# {watched.name}: feedback\n\n{headline(watched)}.\n"
    bands = [("version", *BANDS)] + [(one.version, *_bands(one)) for one in watched.versions]
    days = [
        (day.day, *map("{:,}".format, (day.impressions, day.answered, day.responses, day.users)))
        for day in watched.daily
    ]
    parts = [
        f"# {watched.name}: feedback",
        headline(watched) + ".",
        table(VERSIONS, version_rows(watched), left=(0,)),
        "Click-through: share of impressions that were answered, with its 95% interval (Wilson). Fallback: requests of "
        "users of whom nothing was known.",
        "## Click-through by position",
        table(bands[0], bands[1:], left=(0,)),
        "## Drift",
        drift_line(watched.drift) + ".",
        "## Days (UTC)",
        table(("day", "impressions", "answered", "responses", "users"), days, left=(0,)),
    ]
    return "\n\n".join(parts) + "\n"


def headline(watched: Watched) -> str:
    """What there was, or how to bring it, in one line."""
    if watched.is_empty:
        return f"no feedback since {watched.since}; recsys feedback add FILE adds what was shown and what came of it"
    counts = f"{watched.impressions:,} impressions and {watched.responses:,} responses"
    return f"{counts} from {watched.since} to {watched.until}"


def version_rows(watched: Watched) -> list[tuple[str, ...]]:
    """A row a version, under the names in `VERSIONS`."""
    return [
        (
            one.version,
            *map("{:,}".format, (one.impressions, one.requests, one.users)),
            _rate(one.click_through),
            *map(_share, (one.coverage, one.unknown_users, one.fallback)),
        )
        for one in watched.versions
    ]


def drift_line(drift: Moved | None) -> str:
    """How far what is taken has moved from the champion's log, in one line."""
    if drift is None:
        return "there is no champion to compare with, or nothing was taken"
    return (
        f"{drift.responses:,} responses against the log of champion v{drift.champion}: items have shifted by "
        f"{drift.popularity_shift:.3f} (Jensen–Shannon; {drift.expected_shift:.3f} by chance), "
        f"{drift.unknown_users:.1%} by unknown users, {drift.unknown_items:.1%} on unknown items"
    )


def _bands(one: Served) -> list[str]:
    return [_rate(one.by_position[band]) if band in one.by_position else NOTHING for band in BANDS]


def _rate(rate: Rate) -> str:
    return f"{rate.value:.2%} ({rate.lo:.2%}–{rate.hi:.2%})"


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1%}"
