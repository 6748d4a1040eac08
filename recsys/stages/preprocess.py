"""Stage 2: from accepted events to a split without leaks, stored; or the stored one of an earlier run."""

import logging
from pathlib import Path

from recsys.config import Config
from recsys.data.atomic import mark_used
from recsys.data.leakage import leakage_check
from recsys.data.prepare import prepare
from recsys.data.prepared import save_prepared
from recsys.stages.validate import accepted_log, remember_accepted, tables
from recsys.stages.workspace import prepared_folder, prepared_set

log = logging.getLogger("recsys.preprocess")


def preprocess(config: Config) -> tuple[Path, bool]:
    """Prepare the data of a located configuration.

    Returns:
        Folder of the prepared set, and whether it is that of an earlier run.

    Raises:
        InputError: the split leaves validation or test empty.
        LeakageError: the split leaks; our fault.
    """
    folder = prepared_folder(config)
    reused = folder.is_dir()
    if reused:
        log.info("preprocess: data and settings are unchanged, the prepared set %s is re-used", folder.name)
        mark_used(folder)
        leakage_check(prepared_set(folder).split, config.split.method)
    else:
        users, items = tables(config)
        accepted = accepted_log(config)
        if prepared_folder(config) != folder:
            log.info("preprocess: feedback came in meanwhile, the log is read again")
            return preprocess(config)
        prepared = prepare(accepted.events, users, items, config, folder.name, accepted.forgotten)
        save_prepared(prepared, folder)
        facts = prepared.summary
        log.info(
            "preprocess: %s events of %s users on %s items, split by %s",
            *(f"{facts[key]:,}" for key in ("interactions", "users", "items")),
            config.split.method,
        )
    remember_accepted(config, folder)
    return folder, reused


def split_markdown(folder: Path) -> str:
    """The split and the verdict of the leakage check, as a table for a run page."""
    facts = prepared_set(folder).summary
    split = facts["split"]
    rows = [("events", facts["interactions"]), ("users", facts["users"]), ("items", facts["items"])]
    rows += [(f"{part} events", split[part]) for part in ("train", "validation", "test")]
    rows += [(f"{part} users", split[f"{part}_users"]) for part in ("validation", "test")]
    lines = [f"Split by `{split['method']}`; leakage check **{split['leakage_check']}**.", "", "| | |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {name} | {count:,} |" for name, count in rows)])
