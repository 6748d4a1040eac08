"""Files and folders that appear, and go, complete or not at all, so that a killed run leaves nothing half-written."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from filelock import FileLock

from recsys.errors import InputError, full_disk, no_room

LEAST_ROOM: Final = 16 * 2**20
"""Bytes without which nothing is begun: Prefect's server and MLflow, whose databases come first, would not answer."""


def check_room(folder: Path) -> None:
    """Look whether there is any room on the disk of a folder, which need not be there yet.

    Raises:
        DiskFullError: there is not.
    """
    if shutil.disk_usage(_there(folder)).free < LEAST_ROOM:
        raise no_room(folder)


def check_writable(folder: Path) -> None:
    """Look whether files can be put in a folder, which need not be there yet, before long work that ends with it.

    Raises:
        InputError: they cannot.
    """
    there = _there(folder)
    if not there.is_dir():
        raise InputError(f"{folder} cannot be written: {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        raise InputError(f"{folder} cannot be written: you may not write to {there}; name another folder")


def _there(folder: Path) -> Path:
    """A folder, or as much of the way to it as there is."""
    return next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))


@contextmanager
def writing(store: Path) -> Iterator[None]:
    """Where a store cannot be made or written, say so.

    Raises:
        InputError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the store {store} cannot be written: {error.strerror or error}; choose another folder, or get the right "
            "to write there, which reading takes too"
        ) from error


def make_store(store: Path) -> None:
    """Make the folder of a store where it is not there yet, and see that files can be made in it.

    Raises:
        InputError: they cannot.
    """
    with writing(store):
        store.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=store).close()


@contextmanager
def room(place: Path) -> Iterator[None]:
    """Where the disk is full, say so by the place that is written to.

    Raises:
        DiskFullError: it is.
    """
    try:
        yield
    except Exception as error:
        if full := full_disk(error, place):
            raise full from error
        raise


@contextmanager
def new_file(final: Path) -> Iterator[Path]:
    """Give a draft to write; it becomes `final`, or takes its place, when the block ends without an error.

    It is on disk when it appears. The folder is made where it is not there; that there is one writer at a time is up
    to the caller.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = final.with_name(f".{final.name}.draft")
    try:
        with room(final):
            yield draft
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(draft, final)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Give a draft folder to write into; it becomes `final` when the block ends without an error.

    One writer at a time. Where `final` is already there when the block ends, it stays: the name is expected to say
    what the content is, so that a second writer has written the same.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    draft, lock, _ = companions(final)
    with FileLock(lock):
        # Under the lock a draft can only be what a killed writer left behind.
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            with room(final):
                yield draft
            if not final.exists():
                os.replace(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def mark_used(folder: Path) -> None:
    """Note on a folder of results that it serves again: its time says when it was made or used last."""
    os.utime(folder)


def last_used(final: Path) -> float:
    """When a folder of results was made or used last, or what a killed writer left of one; seconds since 1970."""
    moments = []
    for path in (final, *companions(final)):
        with suppress(FileNotFoundError):
            moments.append(path.stat().st_mtime)
    return max(moments, default=0.0)


def remove_folder(final: Path, unused_since: float) -> bool:
    """Remove a folder that `new_folder` made, with all that killed writers left beside it, unless it was used since.

    Returns:
        Whether it was removed.
    """
    draft, lock, trash = companions(final)
    with FileLock(lock):
        if final.exists() and final.stat().st_mtime > unused_since:
            return False
        shutil.rmtree(trash, ignore_errors=True)
        if final.exists():
            # Renamed first: no half of it is ever taken for a whole.
            os.replace(final, trash)
            shutil.rmtree(trash)
        shutil.rmtree(draft, ignore_errors=True)
        lock.unlink()
    return True


def companions(final: Path) -> tuple[Path, Path, Path]:
    """What may lie beside a folder of results, hidden: its draft, its lock, and what a killed removal left of it."""
    draft, lock, trash = (final.with_name(f".{final.name}.{kind}") for kind in ("draft", "lock", "trash"))
    return draft, lock, trash


def companion_of(path: Path) -> Path:
    """The folder of results beside which a hidden path lies; any other path itself."""
    name = path.name.removeprefix(".")
    return path.with_name(name.rpartition(".")[0]) if name != path.name else path


def size_mib(folder: Path) -> float:
    """Size of all files in a folder, MiB; what vanishes meanwhile counts as nothing."""
    size = 0
    for top, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):
                size += os.stat(os.path.join(top, name)).st_size
    return size / 2**20
