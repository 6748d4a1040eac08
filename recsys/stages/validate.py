"""Stage 1: judge the log by its contract, or find the verdict of an earlier run on the same bytes."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.config import Config
from recsys.data.prepared import digest_of
from recsys.data.readers import read_events, read_table
from recsys.data.schema import ITEM, USER
from recsys.data.validation_report import ValidationReport
from recsys.stages.workspace import work

log = logging.getLogger("recsys.validate")

VERDICT, ACCEPTED = "verdict.json", "accepted.parquet"


def validate(config: Config) -> tuple[ValidationReport, bool]:
    """Judge the log of a located configuration.

    Returns:
        The report, and whether it is that of an earlier run.

    Raises:
        ContractError: the log is not acceptable.
        InputError: the log cannot be read.
    """
    folder = work(config, "validated", digest_of(config))
    if (folder / VERDICT).is_file():
        log.info("validation: the same data was accepted before, its verdict is re-used")
        return ValidationReport.from_dict(json.loads((folder / VERDICT).read_text(encoding="utf-8"))), True
    from recsys.data import validation

    users, items = tables(config)
    events = read_events(config.data)
    log.info("validation: %s events read", f"{len(events):,}")
    known = _last_accepted(config) if config.validation.max_unseen_fraction < 1 else {}
    folder.mkdir(parents=True, exist_ok=True)
    accepted, report = validation.validate(
        events, config.validation, folder.absolute(), users=users, items=items, name=config.name, **known
    )
    if report.quarantined:
        accepted.to_parquet(folder / ACCEPTED)
    # Last: a folder with a verdict is complete.
    (folder / VERDICT).write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    log.info("validation: %s of %s events accepted", f"{report.accepted:,}", f"{report.rows:,}")
    return report, False


def accepted_events(config: Config) -> pd.DataFrame:
    """The events that validation accepted."""
    path = work(config, "validated", digest_of(config)) / ACCEPTED
    return pd.read_parquet(path) if path.is_file() else read_events(config.data)


def tables(config: Config) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """The user and the item table, where there are any."""
    data = config.data
    users = None if data.users is None else read_table(data.users, USER, data)
    items = None if data.items is None else read_table(data.items, ITEM, data)
    return users, items


def remember_accepted(config: Config, prepared: Path) -> None:
    """Note which prepared set was accepted last under this name: the next batch is held against its ids."""
    note = _note(config)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(prepared.name, encoding="utf-8")


def _last_accepted(config: Config) -> "dict[str, pd.Index[Any]]":
    note = _note(config)
    if not note.is_file():
        return {}
    ids = work(config, "prepared", note.read_text(encoding="utf-8")) / "ids.json"
    if not ids.is_file():
        return {}
    known = json.loads(ids.read_text(encoding="utf-8"))
    return {"known_users": pd.Index(known["users"]), "known_items": pd.Index(known["items"])}


def _note(config: Config) -> Path:
    return work(config, "accepted", config.name)
