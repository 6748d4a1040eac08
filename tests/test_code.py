"""Names of stored results change with the code that made them."""

import shutil

import pytest

from recsys import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, to be edited."""
    shutil.copytree(code.PACKAGE, tmp_path / "recsys", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "recsys")
    return tmp_path / "recsys"


def digest(*packages):
    return code.code_digest.__wrapped__(*packages)


def test_a_change_of_the_code_makes_new_names(package):
    models, metrics = digest("models"), digest("metrics")
    with (package / "models" / "ease.py").open("a") as file:
        file.write("# faster\n")
    assert digest("models") != models
    assert digest("models", "metrics") != digest("metrics")
    assert digest("metrics") == metrics


def test_a_name_may_be_that_of_a_file(package):
    before = digest("models/ease.py")
    for name, changes in (("als", False), ("ease", True)):
        with (package / "models" / f"{name}.py").open("a") as file:
            file.write("# faster\n")
        assert (digest("models/ease.py") != before) == changes


def test_a_new_file_is_a_change(package):
    before = digest("models")
    (package / "models" / "knn.py").write_text('"""Nearest neighbours."""\n')
    assert digest("models") != before
