"""Values of the description's variables for plain processes on this machine; those of the environment win."""

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from recsys.data.atomic import new_file
from recsys.errors import InputError

PREFIX = "RECSYS_"
PASSWORDS = (
    "RECSYS_DATABASE_PASSWORD",
    "RECSYS_OBJECTS_PASSWORD",
    "RECSYS_PREFECT_PASSWORD",
    "RECSYS_MLFLOW_PASSWORD",
    "RECSYS_MLFLOW_SECRET_KEY",
)
PORTS = {
    "RECSYS_DATABASE_PORT": 5433,
    "RECSYS_PREFECT_PORT": 4200,
    "RECSYS_MLFLOW_PORT": 5000,
    "RECSYS_WORKER_PORT": 4201,
}
LISTEN, HOST = "RECSYS_LISTEN", "RECSYS_HOST"
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"


def values(folder: Path, environment: Mapping[str, str], *, auth: bool) -> dict[str, str]:
    """All but the passwords.

    Args:
        folder: of the stack, absolute.
        environment: the user's.
        auth: whether the servers will ask for passwords.

    Raises:
        InputError: a port is no port, an address no address, or servers without passwords would be open to others.
    """
    listen = environment.get(LISTEN) or LOOPBACK
    try:
        address = ipaddress.IPv4Address(listen)
    except ValueError as error:
        raise InputError(
            f"{LISTEN} is {listen!r}; expected an IPv4 address of this machine, or {EVERYWHERE} for all"
        ) from error
    if not (address.is_loopback or auth):
        raise InputError(
            f"{LISTEN} is {listen}: others could reach servers that ask for no password; "
            f"add --auth (make stack AUTH=1), or leave {LISTEN} out"
        )
    here = LOOPBACK if listen == EVERYWHERE else listen
    ours = {
        HOST: here,
        "RECSYS_DATABASE_HOST": here,
        "RECSYS_PREFECT_HOST": here,
        "RECSYS_MLFLOW_HOST": here,
        "RECSYS_ARTIFACTS": str(folder / "artifacts"),
        **{name: str(port) for name, port in PORTS.items()},
    }
    fixed = {
        LISTEN: listen,
        "RECSYS_SOCKETS": "",
        "RECSYS_DATA": str(folder),
        "RECSYS_CONFIGS": str(folder / "configs"),
    }
    theirs = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
    for name in PORTS.keys() & theirs.keys():
        if not (theirs[name].isdigit() and 0 < int(theirs[name]) < 2**16):
            raise InputError(f"{name} is {theirs[name]!r}; expected a port, 1 to 65535")
    return ours | theirs | fixed


def check_ports(chosen: Mapping[str, str]) -> None:
    """See whether the ports are free.

    Raises:
        InputError: somebody listens on one of them.
    """
    for name in PORTS:
        with socket.socket() as probe:
            # Connections of servers that have ended are no reason.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((chosen[LISTEN], int(chosen[name])))
            except OSError as error:
                where = f"{chosen[LISTEN]}:{chosen[name]}"
                raise InputError(
                    f"cannot listen on {where} ({error.strerror}); choose another port: {name}={int(chosen[name]) + 10}"
                ) from error


def passwords(file: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Those of the file; what is not there yet comes from the environment, or is made, and stays."""
    known = dict(line.split("=", 1) for line in file.read_text().splitlines() if line) if file.exists() else {}
    missing = [name for name in PASSWORDS if name not in known]
    if missing:
        known |= {name: environment.get(name) or secrets.token_urlsafe(24) for name in missing}
        write_private(file, "".join(f"{name}={value}\n" for name, value in known.items()))
    return known


def write_private(file: Path, content: str) -> None:
    """A file that only its owner may read."""
    with new_file(file) as draft:
        draft.touch(mode=0o600)
        draft.write_text(content, encoding="utf-8")
