"""The prepared set on disk: numpy arrays, sparse matrices and JSON under a name that says what went into it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.config import Config
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import new_folder
from recsys.data.catalogue import IDS, load_features, save_catalogue
from recsys.data.dataset import Dataset, Split
from recsys.data.idmap import IdMap
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
        _code_digest(),
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
    ids = json.loads((folder / IDS).read_text(encoding="utf-8"))
    users, items = _id_map(ids["users"]), _id_map(ids["items"])
    features = load_features(folder / "users.npz")

    def read(name: str) -> Interactions:
        user, item, time, weight = (np.load(folder / f"{name}.{array}.npy") for array in ARRAYS)
        return Interactions(user, item, time, weight, len(users), len(items), features)

    log, train, validation, test = (read(name) for name in LOGS)
    names = (tuple(ids["user_feature_names"]), tuple(ids["item_feature_names"]))
    data = Dataset(log, users, items, load_features(folder / "items.npz"), *names)
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return Prepared(assemble(data, train, validation, test), summary)


def _id_map(values: list[Any]) -> IdMap:
    integers = bool(values) and isinstance(values[0], int)
    return IdMap(np.array(values, dtype=np.int64 if integers else object))


def _code_digest() -> str:
    """Changes when a file of this package does, so that no set outlives the code that made it."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()
