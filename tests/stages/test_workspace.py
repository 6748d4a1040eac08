"""Names of stored results: they change with the code, and what was deleted is not remembered."""

import shutil
from pathlib import Path

import pytest

from recsys.stages import workspace
from recsys.stages.preprocess import preprocess


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, to be edited."""
    shutil.copytree(workspace.PACKAGE, tmp_path / "recsys", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "recsys")
    return tmp_path / "recsys"


def digest(*packages):
    return workspace.code_digest.__wrapped__(*packages)


def test_a_change_of_the_code_makes_new_names(package):
    models, metrics = digest("models"), digest("metrics")
    with (package / "models" / "ease.py").open("a") as file:
        file.write("# faster\n")
    assert digest("models") != models
    assert digest("models", "metrics") != digest("metrics")
    assert digest("metrics") == metrics


def test_a_new_file_is_a_change(package):
    before = digest("models")
    (package / "models" / "knn.py").write_text('"""Nearest neighbours."""\n')
    assert digest("models") != before


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
