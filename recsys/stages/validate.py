"""Stage 1: judge the log by its contract, or find the verdict of an earlier run on the same bytes."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.config import Config
from recsys.data import parts
from recsys.data.atomic import mark_used, new_file, room
from recsys.data.readers import read_table
from recsys.data.schema import ITEM, USER
from recsys.data.validation_report import ValidationReport
from recsys.stages.log import TrainingLog, digest_of, training_log
from recsys.stages.workspace import work

log = logging.getLogger("recsys.validate")

VERDICT, ACCEPTED, ASIDE = "verdict.json", "accepted.parquet", "aside.json"
NOTES = "accepted"
"""Folder of notes, by name of a configuration: the prepared set that was accepted last."""


def validate(config: Config) -> tuple[ValidationReport, bool]:
    """Judge the log of a located configuration.

    Returns:
        The report, and whether it is that of an earlier run.

    Raises:
        ContractError: the log is not acceptable.
        InputError: the log cannot be read.
    """
    folder = validated_folder(config)
    if came := parts.rows_of(parts.folder_of(config.store, config.name)):
        log.info("validation: %s events of the log came in by feedback", f"{came:,}")
    if (folder / VERDICT).is_file():
        log.info("validation: the same data was accepted before, its verdict is re-used")
        mark_used(folder)
        return ValidationReport.from_dict(json.loads((folder / VERDICT).read_text(encoding="utf-8"))), True
    from recsys.data import validation

    users, items = tables(config)
    read = training_log(config)
    log.info("validation: %s events read", f"{len(read.events):,}")
    if read.forgotten:
        log.info("validation: %s more are left out, their users were forgotten", f"{read.forgotten:,}")
    if validated_folder(config) != folder:
        log.info("validation: feedback came in meanwhile, the log is read again")
        return validate(config)
    known = _last_accepted(config) if config.validation.max_unseen_fraction < 1 else {}
    with room(folder):
        folder.mkdir(parents=True, exist_ok=True)
        accepted, report = validation.validate(
            read.events,
            config.validation,
            folder.absolute(),
            users=users,
            items=items,
            known_users=known.get("users"),
            known_items=known.get("items"),
            name=config.name,
        )
        if report.quarantined:
            accepted.to_parquet(folder / ACCEPTED)
            (folder / ASIDE).write_text(json.dumps({"forgotten": read.forgotten}), encoding="utf-8")
    # Last: a folder with a verdict is complete.
    with new_file(folder / VERDICT) as draft:
        draft.write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    log.info("validation: %s of %s events accepted", f"{report.accepted:,}", f"{report.rows:,}")
    return report, False


def validated_folder(config: Config) -> Path:
    """Where the verdict on a located configuration lies, or will, with its page."""
    return work(config, "validated", digest_of(config))


def accepted_log(config: Config) -> TrainingLog:
    """The training log as validation accepted it.

    Raises:
        ContractError: what has come in since makes it unacceptable.
        InputError: the log cannot be read.
    """
    folder = validated_folder(config)
    if config.validation.on_failure == "quarantine" and not (folder / VERDICT).is_file():
        # The log has changed since it was judged, and what was set aside is in it again.
        validate(config)
        return accepted_log(config)
    if not (folder / ACCEPTED).is_file():
        return training_log(config)
    aside = json.loads((folder / ASIDE).read_text(encoding="utf-8"))
    return TrainingLog(pd.read_parquet(folder / ACCEPTED), **aside)


def tables(config: Config) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """The user and the item table, where there are any."""
    data = config.data
    users = None if data.users is None else read_table(data.users, USER, data)
    items = None if data.items is None else read_table(data.items, ITEM, data)
    return users, items


def remember_accepted(config: Config, prepared: Path) -> None:
    """Note which prepared set was accepted last under this name: the next batch is held against its ids."""
    note = _note(config)
    with new_file(note) as draft:
        draft.write_text(prepared.name, encoding="utf-8")


def _last_accepted(config: Config) -> "dict[str, pd.Index[Any]]":
    note = _note(config)
    if not note.is_file():
        return {}
    ids = work(config, "prepared", note.read_text(encoding="utf-8")) / "ids.json"
    if not ids.is_file():
        return {}
    known = json.loads(ids.read_text(encoding="utf-8"))
    return {name: pd.Index(known[name]) for name in ("users", "items")}


def _note(config: Config) -> Path:
    return work(config, NOTES, config.name)
