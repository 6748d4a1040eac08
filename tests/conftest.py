"""What all tests share."""

import os
import shutil
import signal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from tests import servers

# A busy machine, or the first import of a heavy library, is no finding.
settings.register_profile("any_machine", deadline=None)
settings.load_profile("any_machine")

TOY = """
store = "{store}"
[data]
path = "events.csv"
[split]
method = "leave_last"
"""


class NoSkips:
    """A skipped test proves nothing: where it is installed, skips fail; expected failures stay what they are."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Any:
        return failed_if_skipped((yield))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Any:
        return failed_if_skipped((yield))


def failed_if_skipped(report: Any) -> Any:
    # An expected failure comes as a skip too: it was run, and may stay.
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which fails in CI: {report.longrepr}"
    return report


def pytest_configure(config: pytest.Config) -> None:
    # Where the tests run in the background of a shell, they and all they start would ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A plugin of its own: hooks of this file would not see the doctests of recsys/.
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(NoSkips(), "no-skips")


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory):
    """MLflow's database with nothing in it: migrations take seconds, a copy does not."""
    from recsys import tracking

    folder = tmp_path_factory.mktemp("fresh")
    tracking.open_store(folder)
    return folder / "mlflow.db"


@pytest.fixture
def new_store(fresh_database, tmp_path):
    """Makes empty stores, each of them open when it is made."""
    from recsys import tracking

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(fresh_database, folder / "mlflow.db")
        tracking.open_store(folder)
        return folder

    return make


@pytest.fixture
def store(new_store):
    """An empty store, open."""
    return new_store("store")


@pytest.fixture(scope="session")
def postgresql():
    """PostgreSQL's programs: whoever tries the project out need not have them, CI installs them (`NoSkips`)."""
    from flows.stack import postgres
    from recsys.errors import InputError

    try:
        return postgres.tools()
    except InputError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """A Prefect server of its own, at `url`, that writes to `log`; it stops, with all it started, when told to."""
    with servers.Prefect(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="session")
def object_store(tmp_path_factory):
    """One that speaks S3, at `url`; `environment` leads to it."""
    with servers.ObjectStore(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(scope="session")
def toy_events():
    """Logs of two camps: user u meets `met` items of camp u % 2, a new one every 10,000 seconds.

    Odd users meet items 113 to 124, even users 101 to 112. As text, ids are u1 and i101.
    """

    def make(users=range(1, 61), met=8, as_text=False):
        rng = np.random.default_rng(0)
        taste = {user: rng.permutation(12)[:met] for user in users}
        events = pd.DataFrame(
            [
                (user, 101 + 12 * (user % 2) + int(taste[user][turn]), 10_000 * turn + 60 * user)
                for turn in range(met)
                for user in users
            ],
            columns=["user_id", "item_id", "timestamp"],
        )
        if as_text:
            events["user_id"], events["item_id"] = (
                "u" + events["user_id"].astype(str),
                "i" + events["item_id"].astype(str),
            )
        return events

    return make


@pytest.fixture(scope="session")
def toy_split(toy_events):
    """Splits of a toy log, with the camp as an attribute of users and items."""
    from recsys.config import parse
    from recsys.data.prepare import prepare

    def make(method="leave_last", events=None, **how):
        events = toy_events(**how) if events is None else events
        users, items = (pd.DataFrame({key: events[key].unique()}) for key in ("user_id", "item_id"))
        users["camp"] = users["user_id"].astype(str).str.lstrip("u").astype(int) % 2
        items["camp"] = (items["item_id"].astype(str).str.lstrip("i").astype(int) > 112).astype(int)
        config = parse({"name": "toy", "data": {"path": "events.csv"}, "split": {"method": method}})
        return prepare(events, users, items, config, digest="0123456789abcdef").split

    return make


@pytest.fixture(scope="session")
def toy_bundle(toy_split):
    """Bundles of EASE on a toy split: evaluated on train and validation, refit on all unless told otherwise."""
    from recsys.models.table import create
    from recsys.serving.bundle import Manifest, write_bundle

    def make(folder, split=None, method="leave_last", fitted_on="all", **manifest):
        split = toy_split(method) if split is None else split
        log = split.for_test if fitted_on == "train+validation" else split.data
        said = {
            "name": "toy",
            "model": "ease",
            "fitted_on": fitted_on,
            "config_digest": "c0ffee",
            "dataset_digest": "0123456789abcdef",
            "split_method": method,
            "test_start": int(split.test_events.time.min()),
            "last_event": int(split.data.interactions.time.max()),
            "metrics": {"ndcg@10": 0.5},
        }
        return write_bundle(
            folder,
            Manifest(**{**said, **manifest}),
            split,
            serving=create("ease", {"reg": 100.0}).fit(log),
            evaluated=create("ease", {"reg": 100.0}).fit(split.for_test),
            fallback=create("popularity").fit(log),
        )

    return make


@pytest.fixture(scope="session")
def champions(toy_bundle, fresh_database, tmp_path_factory):
    """A store with two versions of `recsys-toy`: 1 is previous, 2 is champion."""
    from recsys import registry, tracking

    folder = tmp_path_factory.mktemp("champions") / "store"
    folder.mkdir()
    shutil.copy(fresh_database, folder)
    tracking.open_store(folder)
    run = tracking.start("toy", "run")
    toy_bundle(folder / "work" / "bundle")
    tags = {"hybrid": "weighted", "fitted_on": "all", "test.ndcg_at_10": "0.5000"}
    for number, against in ((1, None), (2, 1)):
        assert registry.register(folder / "work" / "bundle", "recsys-toy", run.id, tags) == number
        registry.promote("recsys-toy", number, {}, against=against)
    return folder


@pytest.fixture
def toy(champions, toy_events, tmp_path):
    """A folder with the log and `toy.toml`, and a copy of the store beside them."""
    shutil.copytree(champions, tmp_path / "store", ignore=shutil.ignore_patterns("artifacts", "work"))
    toy_events().to_csv(tmp_path / "events.csv", index=False)
    (tmp_path / "toy.toml").write_text(TOY.format(store=tmp_path / "store"))
    return tmp_path


@pytest.fixture
def registered(store, toy_bundle, tmp_path):
    """Registers so many versions of a bundle of users 1 to 60, and gives all there are."""
    from recsys import registry, tracking

    run = tracking.start("toy", "run")
    toy_bundle(tmp_path / "bundle")

    def make(count):
        for _ in range(count):
            registry.register(tmp_path / "bundle", "recsys-toy", run.id)
        return registry.versions()

    return make
