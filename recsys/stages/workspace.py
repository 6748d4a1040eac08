"""Where stages keep what a later run can use again, under names that say what went into it."""

import hashlib
from functools import lru_cache
from pathlib import Path

import recsys
from recsys.config import Config
from recsys.data.prepared import Prepared, folder_of, load_prepared
from recsys.data.sources import resolve
from recsys.stages.log import digest_of

PACKAGE = Path(recsys.__file__).parent


def located(config: Config) -> Config:
    """The configuration with its data on this machine: a named source is fetched, or found in the store."""
    return config.model_copy(update={"data": resolve(config.data, config.store)})


def work(config: Config, kind: str, key: str) -> Path:
    """Folder for results of a kind; `key` is a digest of all they depend on."""
    return Path(config.store) / "work" / kind / key


@lru_cache(maxsize=8)
def code_digest(*packages: str) -> str:
    """Changes when a file of these packages of recsys does, so that no result outlives the code that made it."""
    code = hashlib.sha256()
    for package in packages:
        for path in sorted((PACKAGE / package).glob("*.py")):
            code.update(path.read_bytes())
    return code.hexdigest()[:16]


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
