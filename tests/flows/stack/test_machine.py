"""Values for this machine: what is allowed, whose win, and who may read what is secret."""

import socket

import pytest

from flows.stack.machine import PASSWORDS, PORTS, check_ports, passwords, values, write_private
from recsys.errors import InputError


def test_everything_listens_on_the_loopback_address(tmp_path):
    chosen = values(tmp_path, {}, auth=False)
    assert {chosen[name] for name in chosen if name.endswith(("_HOST", "_LISTEN"))} == {"127.0.0.1"}
    assert {name: int(chosen[name]) for name in PORTS} == PORTS


def test_the_environment_wins_but_for_the_folders_of_the_stack(tmp_path):
    theirs = {"RECSYS_MLFLOW_PORT": "5500", "RECSYS_DATA": "elsewhere", "RECSYS_ARTIFACTS": "s3://ours", "PATH": "p"}
    chosen = values(tmp_path, theirs, auth=False)
    assert (chosen["RECSYS_MLFLOW_PORT"], chosen["RECSYS_ARTIFACTS"]) == ("5500", "s3://ours")
    assert chosen["RECSYS_DATA"] == str(tmp_path)
    assert "PATH" not in chosen


def test_for_others_it_asks_for_passwords(tmp_path):
    theirs = {"RECSYS_LISTEN": "0.0.0.0", "RECSYS_HOST": "stack.example.org"}
    with pytest.raises(InputError, match=r"RECSYS_LISTEN is 0\.0\.0\.0: others could reach .* add --auth"):
        values(tmp_path, theirs, auth=False)
    chosen = values(tmp_path, theirs, auth=True)
    assert (chosen["RECSYS_PREFECT_HOST"], chosen["RECSYS_HOST"]) == ("127.0.0.1", "stack.example.org")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("RECSYS_LISTEN", "here", "an IPv4 address"),
        ("RECSYS_PREFECT_PORT", "http", "1 to 65535"),
        ("RECSYS_WORKER_PORT", "70000", "1 to 65535"),
        ("RECSYS_MLFLOW_PORT", "0", "1 to 65535"),
    ],
)
def test_what_is_no_value(tmp_path, name, value, allowed):
    with pytest.raises(InputError, match=f"{name} is '{value}'; expected .*{allowed}"):
        values(tmp_path, {name: value}, auth=True)


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        chosen = values(tmp_path, {"RECSYS_MLFLOW_PORT": str(port)}, auth=False)
        with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port} .*; choose another port: RECSYS_MLFLOW_PORT="):
            check_ports(chosen | dict.fromkeys(set(PORTS) - {"RECSYS_MLFLOW_PORT"}, "0"))


def test_passwords_are_made_once_and_only_the_owner_reads_them(tmp_path):
    file = tmp_path / "secrets.env"
    made = passwords(file, {"RECSYS_OBJECTS_PASSWORD": "given"})
    assert set(made) == set(PASSWORDS)
    assert made["RECSYS_OBJECTS_PASSWORD"] == "given"
    assert len(set(made.values())) == len(PASSWORDS)
    assert all(len(value) >= 32 for name, value in made.items() if name != "RECSYS_OBJECTS_PASSWORD")
    assert file.stat().st_mode & 0o777 == 0o600
    assert passwords(file, {"RECSYS_PREFECT_PASSWORD": "later"}) == made


def test_a_chosen_password_stays_and_others_join_it(tmp_path):
    file = tmp_path / "secrets.env"
    file.write_text("RECSYS_PREFECT_PASSWORD=mine\n")
    made = passwords(file, {})
    assert made["RECSYS_PREFECT_PASSWORD"] == "mine"
    assert passwords(file, {}) == made


def test_a_private_file_is_private_where_a_public_one_was(tmp_path):
    file = tmp_path / "env"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
