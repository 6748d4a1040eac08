"""One TOML file, read once into frozen typed sections; an unknown key is an error naming the nearest."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from recsys.config.sections import Config
from recsys.errors import InputError, did_you_mean


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file and apply `section.key=value` overrides.

    Relative paths under [data] and validation.suite become absolute, against the folder of the file.

    Raises:
        InputError: the file cannot be read or is not TOML, a key is unknown, or a value is out of its bounds.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows begins files with a mark of their encoding
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise InputError(f"no configuration file at {path}; configs/own-data.toml is one to start from") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    for override in overrides:
        _apply(raw, override)
    raw.setdefault("name", path.stem)
    config = parse(raw, origin=str(path))
    return _absolute(config, path.resolve().parent)


def parse(raw: Mapping[str, Any], origin: str = "configuration") -> Config:
    """Turn plain tables into a `Config`.

    Raises:
        InputError: all that is wrong, one line a finding.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(dict(finding)) for finding in error.errors()]
        raise InputError(f"{origin}: " + "\n  ".join(["the configuration is wrong", *lines])) from error


def digest(*parts: object) -> str:
    """Short stable digest (16 hex digits) of JSON-able parts and pydantic sections.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {override!r}: expected section.key=value, such as tuning.trials=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, leaf = key.strip().split(".")
    table = raw
    for name in sections:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {override!r}: {name!r} is a value, not a section")
    table[leaf] = value


def _absolute(config: Config, folder: Path) -> Config:
    def place(value: str | None) -> str | None:
        return value if value is None else str((folder / Path(value).expanduser()).resolve())

    data = {key: place(getattr(config.data, key)) for key in ("path", "users", "items")}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "validation": config.validation.model_copy(update={"suite": place(config.validation.suite)}),
        }
    )


def _explain(finding: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in finding["loc"])
    if finding["type"] == "extra_forbidden":
        *sections, key = finding["loc"]
        return f"unknown key {where!r}: {did_you_mean(str(key), _keys(sections))}"
    if finding["type"] == "missing":
        return f'{where!r} is required; the least configuration is [data] with path = "events.csv"'
    return f"{where or 'data'}: {finding['msg']}" + (f" (seen: {finding['input']!r})" if where else "")


def _keys(sections: Sequence[object]) -> list[str]:
    model: Any = Config
    for name in sections:
        model = model.model_fields[str(name)].annotation
    return list(model.model_fields)
