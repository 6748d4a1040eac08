"""What is read from Compose files: variables, overrides, order."""

import re

import pytest
import yaml

from flows.stack.description import merge, read
from recsys.errors import InputError

CHECK = {"test": ["CMD", "true"], "timeout": "1s", "interval": "2s", "start_period": "3s", "start_interval": "1s"}


@pytest.fixture
def written(tmp_path):
    """Writes Compose files of one service each, whose command is a text."""

    def write(*commands, **more):
        files = []
        for command in commands:
            service = {"command": [command], "environment": {}, "healthcheck": CHECK | {"retries": 4}} | more
            files.append(tmp_path / f"{len(files)}.yaml")
            files[-1].write_text(yaml.safe_dump({"services": {"one": service}, "x-clients": {}}))
        return files

    return write


def told(files, **values):
    (word,) = read(files, values).services["one"].command
    return word


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("${PORT:-1}", {}, "1"),
        ("${PORT:-1}", {"PORT": ""}, "1"),
        ("${PORT-1}", {"PORT": ""}, ""),
        ("${PORT-1}", {}, "1"),
        ("${PORT:-1}", {"PORT": "2"}, "2"),
        ("${PORT}", {"PORT": "2"}, "2"),
        ("${PORT}", {}, ""),
        ("${PORT:?say so}", {"PORT": "2"}, "2"),
        ("http://${HOST:-here}:${PORT:-1}/", {"HOST": "there"}, "http://there:1/"),
        ("$$PORT costs 1$", {"PORT": "2"}, "$PORT costs 1$"),
    ],
)
def test_variables(written, text, values, filled):
    assert told(written(text), **values) == filled


def test_what_has_no_default_is_asked_for(written):
    with pytest.raises(InputError, match=re.escape("PASSWORD is not set: see the page")):
        told(written("${PASSWORD:?see the page}"))


def test_what_only_a_container_can_be_is_left_out_and_not_asked_for(written):
    files = written("${PASSWORD:?see the page}", **{"x-container-only": True})
    assert read(files, {}).services == {}


def test_an_override_replaces_a_command_and_adds_to_an_environment(tmp_path):
    below = {"services": {"one": {"command": ["a", "b"], "environment": {"A": "1", "B": "1"}}}}
    above = {"services": {"one": {"command": ["c"], "environment": {"B": "2"}}, "two": {"command": ["d"]}}}
    files = [tmp_path / "below.yaml", tmp_path / "above.yaml"]
    for file, content in zip(files, (below, above), strict=True):
        file.write_text(yaml.safe_dump(content))
    assert merge(files)["services"] == {
        "one": {"command": ["c"], "environment": {"A": "1", "B": "2"}},
        "two": {"command": ["d"]},
    }


def test_services_come_after_what_they_need(tmp_path):
    needs = {"page": ["server"], "server": ["database", "objects"], "cache": ["database"], "database": []}
    services = {
        name: {
            "command": [name],
            "environment": {},
            "healthcheck": CHECK | {"retries": 1},
            "depends_on": {one: {"condition": "service_healthy"} for one in needed},
        }
        for name, needed in needs.items()
    }
    services["objects"] = {"x-container-only": True}
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump({"services": services, "x-clients": {}}, sort_keys=False))
    assert read([tmp_path / "compose.yaml"], {}).stages() == [["database"], ["server", "cache"], ["page"]]


def test_patience_is_what_the_health_check_says(written):
    assert read(written("a"), {}).services["one"].healthcheck.patience == 3 + 4 * 2
