"""Named data sets: fetched once, checked by SHA-256, kept under `<store>/data/`."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from recsys.config import DataSection
from recsys.data import movielens, synthetic
from recsys.data.atomic import new_folder
from recsys.errors import InputError, UnavailableError, did_you_mean

logger = logging.getLogger(__name__)

NAMES = ("movielens-100k", "synthetic")
TABLES = ("events.csv", "users.csv", "items.csv")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FetchedData:
    """Where a named data set lies on this machine."""

    events: Path
    users: Path
    items: Path
    from_cache: bool
    origin: str
    """Where it came from, in words."""


def fetch(source: str, store: str | Path, origins: Sequence[movielens.Origin] = movielens.ORIGINS) -> FetchedData:
    """Get a named data set: from the local cache, else from the first of its origins that answers.

    Args:
        source: `movielens-100k`, or `synthetic` with any of its sizes: `synthetic?users=1000&items=500&seed=1`.
        store: folder for everything the pipeline writes.
        origins: where MovieLens-100K may come from, in order.

    Raises:
        InputError: the name or a size is wrong.
        UnavailableError: no origin answers and nothing is in the cache.
    """
    name, _, query = source.partition("?")
    if name not in NAMES:
        raise InputError(f"no data set is called {name!r}: {did_you_mean(name, NAMES)}")
    if name == "synthetic":
        sizes = synthetic.parse_sizes(dict(parse_qsl(query, keep_blank_values=True)))
        folder = Path(store).absolute() / "data" / sizes.folder_name
        return _cached(folder) or _stored(folder, "the generator", lambda draft: synthetic.write(sizes, draft))
    if query:
        raise InputError(f"{name} has no sizes to set; seen {query!r}, allowed: data.source = {name!r}")
    folder = Path(store).absolute() / "data" / name
    return _cached(folder) or _download(folder, origins)


def resolve(data: DataSection, store: str | Path) -> DataSection:
    """The same section with paths in place of `source`; tables named in the configuration stay.

    Raises:
        InputError: the source cannot be fetched.
    """
    if data.source is None:
        return data
    found = fetch(data.source, store)
    paths = {"path": found.events, "users": data.users or found.users, "items": data.items or found.items}
    return data.model_copy(update={"source": None, **{key: str(path) for key, path in paths.items()}})


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _cached(folder: Path) -> FetchedData | None:
    if not (folder / MANIFEST).is_file():
        return None
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, expected in manifest["sha256"].items():
        if not (folder / name).is_file() or sha256_of(folder / name) != expected:
            logger.warning("%s in the cache is not what was fetched; fetching again", folder / name)
            shutil.rmtree(folder)
            return None
    return _found(folder, from_cache=True, origin=manifest["origin"])


def _download(folder: Path, origins: Sequence[movielens.Origin]) -> FetchedData:
    tried = [f"local cache: nothing in {folder}"]
    for origin in origins:
        logger.info("fetching %s from %s", folder.name, origin.name)
        try:
            tables = origin.tables()
        except movielens.OriginError as error:
            tried.append(f"{origin.name}: {error}")
            logger.warning("%s", tried[-1])
            continue

        def write(draft: Path, tables: movielens.Tables = tables) -> None:
            for table, name in zip((tables.events, tables.users, tables.items), TABLES, strict=True):
                table.to_csv(draft / name, index=False, lineterminator="\n")

        return _stored(folder, origin.name, write)
    raise UnavailableError(
        f"{folder.name} cannot be fetched; tried:\n  "
        + "\n  ".join(tried)
        + f"\nFetch it on a machine with a network (recsys data fetch {folder.name}) and copy {folder} here, "
        'or use a data set that needs none: [data] source = "synthetic"'
    )


def _stored(folder: Path, origin: str, write: Callable[[Path], None]) -> FetchedData:
    with new_folder(folder) as draft:
        write(draft)
        sums = {path.name: sha256_of(path) for path in sorted(draft.iterdir())}
        manifest = {"origin": origin, "sha256": sums}
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return _found(folder, from_cache=False, origin=origin)


def _found(folder: Path, *, from_cache: bool, origin: str) -> FetchedData:
    events, users, items = (folder / name for name in TABLES)
    return FetchedData(events, users, items, from_cache, origin)
