"""Suites in YAML files, and what a suite becomes for one batch: settings filled in, idle rules left out."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from recsys.config import ValidationSection
from recsys.data.contract import Rule, built
from recsys.data.schema import RATING
from recsys.errors import InputError, did_you_mean

KEYS: Final = ("type", "kwargs", "severity", "description", "meta")
SEVERITIES: Final = ("critical", "warning", "info")
NEEDS: Final = (RATING, "users", "items", "known_users", "known_items")
"""What a rule may wait for: the rating column, a table, the ids of the last accepted batch."""


def of(config: ValidationSection) -> list[Rule]:
    """The suite of a configuration: its own file, else the built one.

    Raises:
        InputError: the file holds no suite.
    """
    return read(config.suite) if config.suite else built()


def read(path: str | Path) -> list[Rule]:
    """Rules of a suite file.

    Raises:
        InputError: the file is missing or not YAML, or a rule has not the form of one.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"no suite at {path}; configs/suites/interactions.yaml is one to start from") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    rules = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(rules, list) or not rules:
        raise InputError(f"{path} holds no rules: a suite is a list of expectations under the key 'expectations:'")
    named = [_checked(rule, f"{path}, expectation {number}") for number, rule in enumerate(rules, start=1)]
    names = [rule["description"] for rule in named]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InputError(f"{path}: rules need descriptions of their own; used twice: {', '.join(sorted(repeated))}")
    return named


def resolve(rules: list[Rule], config: ValidationSection, given: Collection[str]) -> list[Rule]:
    """Rules to ask: those whose needs are among `given`, settings filled in.

    An argument whose setting is not set is left out, and so is a rule that then has no argument but its column.

    Raises:
        InputError: a reference names no setting, or `earliest` is no date.
    """
    filled = (_filled(rule, config) for rule in rules if rule["meta"].get("needs") in (None, *given))
    return [rule for rule in filled if rule is not None]


def _checked(rule: Any, where: str) -> Rule:
    """The rule with every key present.

    Raises:
        InputError: a key or a word is not known.
    """
    if not isinstance(rule, dict) or not isinstance(rule.get("type"), str):
        raise InputError(f"{where}: a rule is a mapping with at least a 'type', seen: {str(rule)[:80]}")
    for key in rule:
        if key not in KEYS:
            raise InputError(f"{where}: unknown key {key!r}; {did_you_mean(str(key), KEYS)}")
    kwargs, meta = rule.get("kwargs") or {}, rule.get("meta") or {}
    if not isinstance(kwargs, Mapping) or not isinstance(meta, Mapping):
        raise InputError(f"{where}: 'kwargs' and 'meta' are mappings")
    severity, needs = rule.get("severity", "critical"), meta.get("needs")
    if severity not in SEVERITIES:
        raise InputError(f"{where}: severity {severity!r}; {did_you_mean(str(severity), SEVERITIES)}")
    if needs is not None and needs not in NEEDS:
        raise InputError(f"{where}: needs {needs!r}; {did_you_mean(str(needs), NEEDS)}")
    name = rule.get("description") or " ".join(filter(None, (str(kwargs.get("column", "")), rule["type"])))
    return {
        "type": rule["type"],
        "kwargs": {**kwargs},
        "severity": severity,
        "description": name,
        "meta": {**meta},
    }


def _filled(rule: Rule, config: ValidationSection) -> Rule | None:
    settings = {
        key: _setting(match[1], rule["description"], config)
        for key, value in rule["kwargs"].items()
        if isinstance(value, str) and (match := re.fullmatch(r"\{(\w+)\}", value))
    }
    kwargs = {key: value for key, value in {**rule["kwargs"], **settings}.items() if value is not None}
    if None in settings.values() and not kwargs.keys() - {"column"}:
        return None
    return {**rule, "kwargs": kwargs}


def _setting(name: str, rule: str, config: ValidationSection) -> Any:
    allowed = list(ValidationSection.model_fields)
    if name not in allowed:
        raise InputError(f"rule {rule!r}: {{{name}}} is no setting of [validation]; {did_you_mean(name, allowed)}")
    value = getattr(config, name)
    return seconds(value) if name == "earliest" and value is not None else value


def seconds(date: str) -> int:
    """Seconds since 1970 of an ISO 8601 date; without a zone it is UTC.

    Raises:
        InputError: it is no date.

    >>> seconds("1970-01-02")
    86400
    """
    try:
        moment = datetime.fromisoformat(date)
    except ValueError as error:
        raise InputError(f"validation.earliest is {date!r}; expected an ISO date such as 2015-01-31") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
