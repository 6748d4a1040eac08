"""constraints.txt: complete, as installed, each held version with its reason; and a Prefect server starts with it."""

import re
import tomllib
import urllib.request
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import servers

ROOT = Path(__file__).parents[1]
OURSELVES = "recsys-pipeline"  # whose dev extra asks for its other extras
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
HELD, REST = TEXT.split("# Everything else, as it was installed on ")
PINS = {canonicalize_name(name): pin for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", TEXT, re.MULTILINE)}


def wanted():
    """Names of all that the project and its dev extra install, however indirectly, as far as it is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    to_visit = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]
    direct = {canonicalize_name(requirement.name) for requirement in to_visit} - {OURSELVES}
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
    return direct, {key[0] for key in visited} - {OURSELVES}


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


def test_a_prefect_server_starts(tmp_path):
    """One that nobody else uses; that it stops again is looked at where it is stopped."""
    with servers.Prefect(tmp_path) as server:
        with urllib.request.urlopen(f"{server.url}/health", timeout=30) as answer:
            assert answer.read() == b"true"
        assert "Traceback" not in server.log.read_text()
