"""The prepared set on disk: numpy arrays, sparse matrices and JSON under a name that says what went into it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.code import code_digest
from recsys.config import Config
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import new_folder
from recsys.data.catalogue import load_dataset, save_catalogue
from recsys.data.dataset import Split
from recsys.data.interactions import Interactions
from recsys.data.sources import sha256_of
from recsys.data.split import assemble

ARRAYS = ("user", "item", "time", "weight")
LOGS = ("log", "train", "validation", "test")
SUMMARY = "summary.json"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A split, and what can be said of it in a scorecard."""

    split: Split
    summary: dict[str, Any]
    """name, digest, users, items, interactions, density, first, last, dropped (reason -> events), split, …"""


def digest_of(config: Config) -> str:
    """Digest (16 hex digits) of all that a prepared set depends on.

    The bytes of the files (`config.data` resolved to paths), the sections that say how to read, validate and split
    them, and the code of this package.
    """
    files = (config.data.path, config.data.users, config.data.items, config.validation.suite)
    content = [None if path is None else sha256_of(Path(path)) for path in files]
    where = {"path", "source", "users", "items"}
    return digest_of_parts(
        config.name,
        content,
        config.data.model_dump(mode="json", exclude=where),
        config.validation.model_dump(mode="json", exclude={"suite"}),
        config.split,
        code_digest("data"),
    )


def folder_of(store: str | Path, digest: str) -> Path:
    """Where the prepared set of this digest lies, or will."""
    return Path(store) / "work" / "prepared" / digest


def save_prepared(prepared: Prepared, folder: Path) -> None:
    """Write a prepared set; the folder appears when it is complete."""
    data = prepared.split.data
    parts = (prepared.split.train, prepared.split.validation_events, prepared.split.test_events)
    with new_folder(folder) as draft:
        for name, events in zip(LOGS, (data.interactions, *parts), strict=True):
            for array in ARRAYS:
                np.save(draft / f"{name}.{array}.npy", getattr(events, array))
        save_catalogue(data, draft)
        (draft / SUMMARY).write_text(json.dumps(prepared.summary, indent=1), encoding="utf-8")


def load_prepared(folder: Path) -> Prepared | None:
    """Read a prepared set back; none where there is none."""
    if not folder.is_dir():
        return None

    def read(name: str) -> tuple[Any, Any, Any, Any]:
        user, item, time, weight = (np.load(folder / f"{name}.{array}.npy") for array in ARRAYS)
        return user, item, time, weight

    data = load_dataset(folder, *read(LOGS[0]))
    whole = data.interactions
    parts = (Interactions(*read(name), whole.n_users, whole.n_items, whole.features) for name in LOGS[1:])
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return Prepared(assemble(data, *parts), summary)
