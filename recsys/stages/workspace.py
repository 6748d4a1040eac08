"""Where stages keep what a later run can use again, under names that say what went into it."""

from functools import lru_cache
from pathlib import Path

from recsys.config import Config
from recsys.data.prepared import Prepared, folder_of, load_prepared
from recsys.data.sources import resolve
from recsys.stages.log import digest_of


def located(config: Config) -> Config:
    """The configuration with its data on this machine: a named source is fetched, or found in the store."""
    return config.model_copy(update={"data": resolve(config.data, config.store)})


def work(config: Config, kind: str, key: str) -> Path:
    """Folder for results of a kind; `key` is a digest of all they depend on."""
    return Path(config.store) / "work" / kind / key


def prepared_folder(config: Config) -> Path:
    """Where the prepared set of a located configuration lies, or will."""
    return folder_of(config.store, digest_of(config))


def prepared_set(folder: Path) -> Prepared:
    """The prepared set, read once a process.

    Raises:
        FileNotFoundError: it was deleted since it was prepared.
    """
    return _read(folder, (folder / "summary.json").stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read(folder: Path, changed: int) -> Prepared:
    found = load_prepared(folder)
    if found is None:
        raise FileNotFoundError(folder)
    return found
