"""Files and folders that appear complete or not at all, so that a killed run leaves nothing half-written."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def new_file(final: Path) -> Iterator[Path]:
    """Give a draft to write; it becomes `final`, or takes its place, when the block ends without an error.

    It is on disk when it appears. The folder is made where it is not there; that there is one writer at a time is up
    to the caller.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = final.with_name(f".{final.name}.draft")
    try:
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
    draft = final.with_name(f".{final.name}.draft")
    with FileLock(final.with_name(f".{final.name}.lock")):
        # Under the lock a draft can only be what a killed writer left behind.
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            yield draft
            if not final.exists():
                os.replace(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
