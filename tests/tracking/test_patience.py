"""MLflow's server goes away and comes back: what is logged meanwhile waits, and what never comes back is told once."""

import logging
import re
import threading
import time

import pytest

from recsys import registry, tracking
from recsys.errors import InputError, UnavailableError
from recsys.tracking.patience import PATIENCE, where
from tests import servers


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An MLflow server that can be killed and started again."""
    with servers.Mlflow(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@pytest.fixture
def served(server, tmp_path, monkeypatch):
    """That server, up, as the open store."""
    if server.process.poll() is not None:
        server.start()
    monkeypatch.setenv(tracking.URI, server.url)
    tracking.open_store(tmp_path / "store")
    return server


@pytest.fixture
def back_once_missed(served, caplog):
    """Starts the server again when the log says that it is waited for."""

    def start():
        servers.wait(lambda: "does not answer" in caplog.text, lambda: caplog.text)
        served.start()

    caplog.set_level(logging.INFO, logger="recsys.tracking")
    thread = threading.Thread(target=start)
    yield thread
    thread.join()


def test_nothing_is_lost_while_the_server_is_away(served, back_once_missed, caplog, tmp_path):
    (tmp_path / "report.md").write_text("# report")
    run = tracking.start("outage", "pipeline", resume_key="one")
    served.kill()
    back_once_missed.start()
    run.log(params={"trials": 3}, metrics={"ndcg@10": 0.25})
    run.artifact(tmp_path / "report.md")
    run.finish()
    seen = tracking.client().get_run(run.id)
    assert (seen.info.status, seen.data.params, seen.data.metrics) == (
        "FINISHED",
        {"trials": "3"},
        {"ndcg_at_10": 0.25},
    )
    assert [one.path for one in tracking.client().list_artifacts(run.id)] == ["report.md"]
    waits = rf"MLflow at {served.url} does not answer \(Connection [\w ]+\): waiting for it, 0 s of at most 600"
    assert re.search(waits, caplog.text)
    assert "MLflow answers again, after " in caplog.text


def test_when_patience_ends_one_message_names_the_server_and_the_next_start_goes_on(served, monkeypatch):
    run = tracking.start("outage", "pipeline", resume_key="two")
    served.kill()
    monkeypatch.setenv(PATIENCE, "1.5")
    with pytest.raises(
        InputError, match=rf"MLflow at {served.url} has not answered for \d s .*: start its server, then"
    ):
        run.finish()
    begun = time.monotonic()
    run.abandon("KILLED")
    assert time.monotonic() - begun < 1.5, "what is ended by a signal waits for nobody"
    served.start()
    assert tracking.client().get_run(run.id).info.status == "RUNNING"
    assert tracking.start("outage", "pipeline", resume_key="two").id == run.id


def test_a_run_that_is_ended_ends_what_goes_on_under_it(served):
    run = tracking.start("ended", "pipeline")
    done, going = (tracking.start("ended", name, parent=run) for name in ("done", "going"))
    done.finish()
    trial = tracking.start("ended", "trial", parent=going)
    run.abandon("KILLED")
    status = {one.id: tracking.client().get_run(one.id).info.status for one in (run, done, going, trial)}
    assert status == {run.id: "KILLED", done.id: "FINISHED", going.id: "KILLED", trial.id: "KILLED"}


def test_a_refusal_is_no_absence(served):
    """The server answers that there is no such run: nobody waits."""
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="not found"):
        tracking.Run("0" * 32).finish()
    assert registry.versions("nobody") == []


def test_a_run_has_a_page(served):
    run = tracking.start("pages", "pipeline")
    experiment = tracking.client().get_experiment_by_name("pages").experiment_id
    assert run.url() == f"{served.url}/#/experiments/{experiment}/runs/{run.id}"


@pytest.mark.parametrize(("said", "shown"), [("http://me:secret@127.0.0.1:9", "http://me:***@127.0.0.1:9")])
def test_opening_says_at_once_that_nobody_is_there_and_no_password(tmp_path, monkeypatch, said, shown):
    monkeypatch.setenv(tracking.URI, said)
    begun = time.monotonic()
    with pytest.raises(UnavailableError) as refused:
        tracking.open_store(tmp_path / "store")
    assert str(refused.value).startswith(f"MLflow at {shown} does not answer (")
    assert "secret" not in str(refused.value)
    assert where() == shown
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("said", ["soon", "-1", "nan", "inf"])
def test_a_patience_that_is_none(store, monkeypatch, said):
    from recsys.tracking.patience import patience

    monkeypatch.setenv(PATIENCE, said)
    with pytest.raises(InputError, match=f"{PATIENCE}: expected seconds, 0 or more; seen '{said}'"):
        patience()
