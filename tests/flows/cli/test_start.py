"""What is there, and what is refused, before a flow begins."""

import logging
import os

import pytest

from flows.cli.start import started
from recsys.config import parse
from recsys.errors import InputError


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Configurations by their store; what a start sets is forgotten."""
    monkeypatch.setattr(os, "environ", {})
    logger = logging.getLogger("recsys")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logger.level)
    return lambda store: parse({"name": "toy", "store": str(tmp_path / store), "data": {"path": "log.csv"}})


def test_a_store_that_nobody_has_opened_yet_is_there_for_prefect(configure, tmp_path):
    with started(configure("new/store"), tracked=False):
        assert os.environ["PREFECT_HOME"] == str(tmp_path / "new" / "store" / "prefect")
        assert list((tmp_path / "new" / "store").iterdir()) == []


@pytest.mark.parametrize("tracked", [True, False])
def test_a_store_that_cannot_be_made_is_told_before_anything_starts(configure, tmp_path, tracked):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="file/store cannot be written: Not a directory; choose another folder"),
        started(configure("file/store"), tracked=tracked),
    ):
        pytest.fail("the flow began")
