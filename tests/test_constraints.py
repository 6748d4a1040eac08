"""constraints.txt: complete, as installed, each held version with its reason; and a Prefect server starts with it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
HELD, REST = TEXT.split("# Everything else, as it was installed on ")
PINS = {canonicalize_name(name): pin for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", TEXT, re.MULTILINE)}
SERVER_STARTS_WITHIN = 120.0


def wanted():
    """Names of all that the project and its dev extra install, however indirectly, as far as it is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    to_visit = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]
    direct = {canonicalize_name(requirement.name) for requirement in to_visit}
    visited = set()
    while to_visit:
        requirement = to_visit.pop()
        extras = requirement.extras or {""}
        key = (canonicalize_name(requirement.name), *sorted(extras))
        if key in visited:
            continue
        visited.add(key)
        for line in requires(key[0]) or []:
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                to_visit.append(inner)
    return direct, {key[0] for key in visited}


def test_everything_that_gets_installed_is_pinned():
    direct, reachable = wanted()
    assert {"prefect", "torch", "pytest", "sqlalchemy"} <= reachable
    assert direct <= set(PINS)
    assert reachable - set(PINS) == set()


def test_every_line_is_a_pin_or_a_comment():
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(PINS)
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "no local versions, such as +cpu"


def test_what_is_installed_is_what_is_pinned():
    differs = {}
    for name, pin in PINS.items():
        try:
            installed = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue  # a pin of another platform or Python
        if installed != pin:
            differs[name] = f"{installed} installed, {pin} pinned"
    assert differs == {}


def test_every_held_version_has_its_reason():
    blocks = [block for block in HELD.split("\n\n")[2:] if block.strip()]
    assert len(blocks) > 10
    for block in blocks:
        lines = block.strip().splitlines()
        assert lines[0].startswith("# "), block
        assert not lines[-1].startswith("#"), block


def test_the_pins_that_pip_would_get_wrong():
    # Prefect's own metadata allows fastapi<1.0; see the reason in the file.
    major, minor, _ = (int(part) for part in PINS["fastapi"].split("."))
    assert (0, 139) <= (major, minor) < (0, 151)
    assert int(PINS["pyarrow"].split(".")[0]) < 26


def test_a_prefect_server_starts_and_stops(tmp_path):
    port = free_port()
    settings = {
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start"],
            env=inherited | settings,
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that the processes it starts can be stopped with it
        )
    try:
        assert answer(f"http://127.0.0.1:{port}/api/health", server) == b"true", log.read_text()
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        assert not listens(port), "the server's child process is still there"
    finally:
        stop_group(server)
    assert "Traceback" not in log.read_text()


def answer(url, server):
    """The body of the first answer; empty when the server ended or time was up."""
    until = time.monotonic() + SERVER_STARTS_WITHIN
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.read()
        except urllib.error.URLError:
            time.sleep(0.2)
    return b""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop_group(server):
    with suppress(ProcessLookupError):  # stopped as it should
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
