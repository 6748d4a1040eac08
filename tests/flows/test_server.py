"""Commands that need a Prefect server say so within a second when there is none, and write nothing."""

import re
import sys

import pytest

from flows import cli
from flows.server import check_mlflow, check_server
from recsys.errors import InputError

NOBODY = "http://127.0.0.1:9/api"
START = "make stack starts one, or prefect server start; then export PREFECT_API_URL=http://127.0.0.1:4200/api\n"


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Exit code and output of a command in a folder with `shop.toml`, where PREFECT_API_URL names nobody."""
    (tmp_path / "shop.toml").write_text('[data]\npath = "log.csv"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", NOBODY)

    def asked(*words):
        monkeypatch.setattr(sys, "argv", ["recsys", *words])
        return cli.main(), *capsys.readouterr()

    return asked


@pytest.mark.parametrize("command", ["deploy", "serve-flows"])
def test_no_server_answers(ask, tmp_path, command):
    code, out, err = ask(command, "shop.toml")
    assert (code, out) == (2, "")
    assert err.startswith(f"recsys: no Prefect server answers at {NOBODY} (")
    assert err.endswith(START)
    assert [path.name for path in tmp_path.iterdir()] == ["shop.toml"]


def test_no_server_is_named(ask, tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL")
    code, out, err = ask("deploy", "shop.toml")
    assert (code, out) == (2, "")
    assert err == f"recsys: deployments live on a Prefect server, and PREFECT_API_URL names none; {START}"
    assert [path.name for path in tmp_path.iterdir()] == ["shop.toml"]


@pytest.mark.parametrize("command", ["run", "retrain"])
def test_an_mlflow_server_that_is_not_there_is_told_before_anything_starts(ask, tmp_path, monkeypatch, command):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9/")
    code, out, err = ask(command, "shop.toml")
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"recsys: MLflow at http://127\.0\.0\.1:9 does not answer \(.*refused.*\): start its server; "
        r"without MLFLOW_TRACKING_URI, runs are kept in the store\n",
        err,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["shop.toml"]


@pytest.mark.parametrize("command", ["deploy", "serve-flows"])
def test_a_configuration_that_is_not_there(ask, command):
    code, out, err = ask(command, "nowhere.toml")
    assert (code, out) == (2, "")
    assert err.startswith("recsys: no configuration file at nowhere.toml")


def test_what_is_set_is_no_address(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "nonsense")
    with pytest.raises(InputError, match="no Prefect server answers at nonsense"):
        check_server()


@pytest.mark.parametrize("url", ["http://me:sesame@127.0.0.1:9/api", "http://me:sesame@127.0.0.1:9x/api"])
def test_a_password_in_the_address_is_not_told(monkeypatch, url):
    monkeypatch.setenv("PREFECT_API_URL", url)
    with pytest.raises(InputError, match=r"no Prefect server answers at http://me:\*\*\*@127\.0\.0\.1:9") as refused:
        check_server()
    assert "sesame" not in str(refused.value)


def test_a_port_that_is_none(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:50o0")
    with pytest.raises(InputError, match=r"MLflow at http://127\.0\.0\.1:50o0 does not answer \(nonnumeric port"):
        check_mlflow()


def test_the_address_of_the_api_ends_in_api(monkeypatch, prefect_server):
    monkeypatch.setenv("PREFECT_API_URL", prefect_server.url.removesuffix("/api"))
    with pytest.raises(InputError, match=r"no Prefect server answers at .*404"):
        check_server()
    monkeypatch.setenv("PREFECT_API_URL", prefect_server.url)
    check_server()


def test_whatever_answers_a_knock_is_taken_for_mlflow(monkeypatch, prefect_server):
    """A server behind a proxy, or of another make, may have no such page."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{prefect_server.url}/nowhere")
    check_mlflow()
