"""Files and folders that are complete or absent."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.data.atomic import check_writable, make_store, new_file, new_folder
from recsys.errors import InputError

NOBODY = 65534


def names(folder: Path) -> set[str]:
    """What a reader can see: drafts and locks are hidden."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_appears_when_complete(tmp_path: Path) -> None:
    with new_folder(tmp_path / "made") as draft:
        (draft / "file").write_text("whole")
        assert names(tmp_path) == set()
    assert (tmp_path / "made" / "file").read_text() == "whole"


def write_half(final: Path) -> None:
    with new_folder(final) as draft:
        (draft / "file").write_text("half")
        raise RuntimeError("half-way")


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half-way"):
        write_half(tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == [".made.lock"]


def test_what_a_killed_writer_left_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".made.draft").mkdir()
    (tmp_path / ".made.draft" / "old").write_text("half")
    with new_folder(tmp_path / "made") as draft:
        (draft / "file").write_text("whole")
    assert names(tmp_path / "made") == {"file"}


def test_the_first_of_two_writers_stays(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with new_folder(tmp_path / "made") as draft:
            (draft / "file").write_text(text)
    assert (tmp_path / "made" / "file").read_text() == "first"


def write_half_a_file(final: Path) -> None:
    with new_file(final) as draft:
        draft.write_text("half")
        raise RuntimeError("half-way")


def test_a_file_is_the_old_one_until_the_new_one_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "made" / "file"
    for text in ("old", "new"):
        with new_file(final) as draft:
            draft.write_text(text)
            assert not final.exists() or final.read_text() == "old"
        assert final.read_text() == text
    with pytest.raises(RuntimeError, match="half-way"):
        write_half_a_file(final)
    assert final.read_text() == "new"
    assert [path.name for path in final.parent.iterdir()] == ["file"]


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder that whoever the test runs as may not write to."""
    me = os.geteuid()
    # Not in `tmp_path`, which only I may enter.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        os.seteuid(me or NOBODY)  # root may write anywhere
        try:
            yield Path(folder)
        finally:
            os.seteuid(me)


def test_a_store_that_cannot_be_written_is_told(theirs: Path) -> None:
    with pytest.raises(InputError, match=f"the store {theirs} cannot be written: Permission denied; choose"):
        make_store(theirs)


def test_whether_a_folder_can_be_written_is_seen_without_making_it(tmp_path: Path) -> None:
    check_writable(tmp_path)
    check_writable(tmp_path / "a" / "b")
    assert names(tmp_path) == set()
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        message = f"{folder} cannot be written: {tmp_path / 'file'} is a file; name a folder"
        with pytest.raises(InputError, match=re.escape(message)):
            check_writable(folder)


def test_a_folder_of_somebody_else_cannot_be_written(theirs: Path) -> None:
    with pytest.raises(InputError, match=f"a cannot be written: you may not write to {theirs}; name another folder"):
        check_writable(theirs / "a")
