"""What docker/compose.yaml says of the services that a plain process can be, with values for their variables.

Of the Compose specification this knows what the files here use: variables, overrides and the keys of `Service`.
"""

import re
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field

from recsys.errors import InputError

VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<kind>:?[-?])(?P<other>[^}]*))?\})")


class Healthcheck(BaseModel):
    """A command that succeeds once a service answers; times such as `10s`."""

    test: list[str]
    timeout: str
    interval: str
    start_period: str
    start_interval: str
    retries: int

    @property
    def command(self) -> list[str]:
        """What to run."""
        return self.test[1:]

    @property
    def patience(self) -> int:
        """Seconds after which a service that never answered is given up."""
        return seconds(self.start_period) + self.retries * seconds(self.interval)


class Mounted(BaseModel):
    """A file that a service reads."""

    source: str
    target: Path


class Service(BaseModel):
    """A service as a plain process needs to know it."""

    command: list[str]
    environment: dict[str, str]
    healthcheck: Healthcheck
    configs: list[Mounted] = []
    depends_on: dict[str, Any] = {}
    stop_signal: str = "SIGTERM"
    stop_grace_period: str = "10s"
    url: str | None = Field(default=None, alias="x-url")


class Description(BaseModel):
    """Services, the environment of their clients, and the files that they read."""

    services: dict[str, Service]
    clients: dict[str, str]
    files: dict[Path, str]

    def stages(self) -> list[list[str]]:
        """Names of services that start together, after all that they need."""
        order = TopologicalSorter({name: self.services.keys() & one.depends_on for name, one in self.services.items()})
        order.prepare()
        stages = []
        while order.is_active():
            ready = order.get_ready()
            stages.append([name for name in self.services if name in ready])
            order.done(*ready)
        return stages


def read(files: Sequence[Path], values: Mapping[str, str]) -> Description:
    """A Compose file, and what overrides it.

    Args:
        files: the first is the description, each of the others changes what is before it.
        values: of the variables; where one is missing, its default stands.

    Raises:
        InputError: a variable without a default has no value.
    """
    content = merge(files)
    plain = {name: one for name, one in content["services"].items() if not one.get("x-container-only")}
    services = {name: Service.model_validate(_filled(one, values)) for name, one in plain.items()}
    mounted = [one for service in services.values() for one in service.configs]
    return Description(
        services=services,
        clients=_filled(content["x-clients"], values),
        files={one.target: _filled(content["configs"][one.source]["content"], values) for one in mounted},
    )


def merge(files: Sequence[Path]) -> dict[str, Any]:
    """All files as one, as Compose merges them: mappings by key, and a command is replaced."""
    content: dict[str, Any] = {}
    for file in files:
        content = _override(content, yaml.safe_load(file.read_text(encoding="utf-8")))
    return content


def seconds(duration: str) -> int:
    """`10s` as a number."""
    return int(duration.removesuffix("s"))


def _override(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        both = below | above
        return {key: _override(below[key], both[key]) if key in below else both[key] for key in both}
    return above


def _filled(content: Any, values: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _filled(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, values) for value in content]
    return VARIABLE.sub(lambda found: _value(found, values), content) if isinstance(content, str) else content


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    """A colon makes an empty value as good as none; after `-` stands a default, after `?` what to do without."""
    if found["dollar"]:
        return "$"
    value, kind = values.get(found["name"]), found["kind"] or ""
    if value or (value is not None and ":" not in kind):
        return value
    if kind.endswith("?"):
        raise InputError(f"{found['name']} is not set: {found['other']}")
    return found["other"] or ""
