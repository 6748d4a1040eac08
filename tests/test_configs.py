"""The configurations that come with the project: they parse, and own-data.toml explains every key there is."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from recsys.config import Config, load, parse
from recsys.errors import InputError

CONFIGS = Path(__file__).parents[1] / "configs"
OWN_DATA = CONFIGS / "own-data.toml"


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        yield from (f"{name}.{key}" for key in keys(field.annotation)) if nested else [name]


def written(table: dict, prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        # {} is a value here (event_weights, params); every section has keys.
        yield from written(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [f"{prefix}{name}"]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_every_configuration_parses(path: Path) -> None:
    assert load(path).model_name.startswith("recsys-")


def test_own_data_names_every_key() -> None:
    text = re.sub(r"^#(?=\w+ = )", "", OWN_DATA.read_text(), flags=re.MULTILINE)
    assert sorted(written(tomllib.loads(text))) == sorted(keys(Config))


def test_own_data_writes_the_defaults() -> None:
    given = tomllib.loads(OWN_DATA.read_text())
    assert parse(given) == parse({"data": {"path": "events.csv"}})


def test_values_behind_a_hash_are_allowed_ones() -> None:
    text = re.sub(r"^#(?=\w+ = )(?!source)", "", OWN_DATA.read_text(), flags=re.MULTILINE)
    config = parse(tomllib.loads(text))
    assert config.name == "my-shop"
    assert config.data.min_rating == 4.0


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text('[data]\npath = "events.csv"\n', encoding="utf-8-sig")
    assert load(path).name == "shop"


def test_there_is_no_configuration_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").touch()
    with pytest.raises(InputError, match=r"no configuration file at .*shop\.toml/shop\.toml;"):
        load(tmp_path / "shop.toml" / "shop.toml")


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.toml cannot be read: File name too long"):
        load(tmp_path / ("x" * 300 + ".toml"))


@pytest.mark.parametrize("weight", ["-1", "nan", "inf"])
def test_a_weight_is_a_number_from_0_on(weight: str) -> None:
    with pytest.raises(InputError, match=r"data\.event_weights\.buy: Input should be "):
        parse({"data": {"path": "e.csv", "event_weights": {"buy": float(weight)}}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("tuning.seed", 2**32),
        ("tuning.timeout", float("inf")),
        ("promotion.min_gain", float("nan")),
        ("hybrid.methods", []),
        ("promotion.model_name", "o'brien"),
        ("promotion.model_name", "shop/live"),
    ],
)
def test_what_no_run_could_do_is_no_configuration(key: str, value: object) -> None:
    section, _, name = key.rpartition(".")
    given = {section: {name: value}} if section else {name: value}
    with pytest.raises(InputError, match=rf"{key}: .* should .*\(seen: {re.escape(repr(value))}\)"):
        parse({"data": {"path": "e.csv"}, **given})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_every_key_has_a_comment(path: Path) -> None:
    uncommented = []
    block_explained = False
    for line in path.read_text().splitlines():
        if line.startswith("# "):
            block_explained = True
        elif not line or line.startswith("["):
            block_explained = False
        elif not block_explained:
            uncommented.append(line)
    # Under [data.columns] one comment speaks for the three names below it.
    assert uncommented == []
