"""PostgreSQL's own tools: where they are, who may run them, and a folder for its data."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from glob import glob
from pathlib import Path
from typing import Any

from recsys.data.atomic import new_folder
from recsys.errors import InputError

SEEN = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
"""Where packages put them when not on PATH: Debian's, PostgreSQL's own for Red Hat, Homebrew's."""

ELSEWHERE = "choose another place: recsys stack --store DIR, make stack STORE=DIR"


def tools() -> Path:
    """The folder of `postgres` and `initdb`; of several, that of the last version.

    Raises:
        InputError: PostgreSQL is not installed.
    """
    on_path = shutil.which("initdb")
    folders = (
        [Path(on_path).resolve().parent] if on_path else sorted(path for seen in SEEN for path in map(Path, glob(seen)))
    )
    if not folders:
        raise InputError(
            "PostgreSQL is not installed: apt-get install postgresql, dnf install postgresql-server, "
            "or brew install postgresql@17"
        )
    return folders[-1]


def user() -> str | None:
    """Who has to run it where that is not whoever runs this process: PostgreSQL refuses root."""
    return "postgres" if os.geteuid() == 0 else None


def as_user() -> dict[str, Any]:
    """Arguments of `subprocess` to run something as `user`."""
    return {"user": user(), "group": user(), "extra_groups": []} if user() else {}


def make(folder: Path, settings: Mapping[str, str], statements: str) -> None:
    """A data folder where there is none, as the image `postgres` makes it from the same settings.

    Args:
        folder: whole as soon as it is there.
        settings: `POSTGRES_USER`, `POSTGRES_PASSWORD` and `POSTGRES_INITDB_ARGS`.
        statements: SQL, one statement a line, for the empty server.

    Raises:
        InputError: it cannot be made there.
    """
    if folder.exists():
        return
    with new_folder(folder) as draft, tempfile.NamedTemporaryFile("w") as password:
        password.write(settings["POSTGRES_PASSWORD"])
        password.flush()
        if user():
            for path in (draft, password.name):
                shutil.chown(path, user(), user())
        data = ["--pgdata", str(draft), "--username", settings["POSTGRES_USER"], "--pwfile", password.name]
        _run([tools() / "initdb", *data, *settings["POSTGRES_INITDB_ARGS"].split()], draft)
        # What the image adds: passwords are asked for, whoever it is that listen_addresses lets in.
        with (draft / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("host all all all scram-sha-256\n")
        _run([tools() / "postgres", "--single", "-D", str(draft), "postgres"], draft, statements)


def _run(command: list[str | Path], folder: Path, text: str = "") -> None:
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False, **as_user())
    if done.returncode or "ERROR" in done.stderr:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
        hint = f"; as root it runs as the user {user()}, who has to be able to enter that folder" if user() else ""
        raise InputError(f"PostgreSQL cannot make {folder}: {reason}{hint}; {ELSEWHERE}")
