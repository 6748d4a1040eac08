"""Feedback stores to test with: every test that asks for one runs on SQLite and on a PostgreSQL of its own."""

import pytest

from recsys.feedback.database import URL
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from tests import servers


@pytest.fixture(scope="session")
def postgres(postgresql):
    """Makes empty databases, given by their URLs, on a server that ends with the tests."""
    with servers.Postgres() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request, tmp_path, monkeypatch):
    """A folder whose feedback store lies in it or, by the URL in the environment, on PostgreSQL."""
    monkeypatch.delenv(URL, raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv(URL, request.getfixturevalue("postgres")())
    return tmp_path / "store"


@pytest.fixture
def feedback(folder):
    """An empty feedback store."""
    with open_store(folder) as opened:
        yield opened


@pytest.fixture
def event():
    """Events by their number: e7 says that u7 viewed i7 at second 1,700,000,007."""

    def make(number, **changed):
        said = {"event_id": f"e{number}", "user_id": f"u{number}", "item_id": f"i{number}", "event_type": "view"}
        return Event(**{**said, "timestamp": 1_700_000_000 + number, **changed})

    return make
