"""Prepared sets and named sources: read once, and what was deleted is not remembered."""

import shutil
from pathlib import Path

import pytest

from recsys.stages import workspace
from recsys.stages.preprocess import preprocess


def test_a_set_is_read_once_and_forgotten_when_it_is_gone(configure):
    folder, _ = preprocess(configure())
    assert workspace.prepared_set(folder) is workspace.prepared_set(folder)
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError):
        workspace.prepared_set(folder)


def test_a_named_source_becomes_files(configure, tmp_path):
    source = {"path": None, "source": "synthetic?users=20&items=20&events=200"}
    data = workspace.located(configure(data=source)).data
    assert data.source is None
    for path in (data.path, data.users, data.items):
        assert Path(path).is_relative_to(tmp_path / "store" / "data")
        assert Path(path).is_file()
