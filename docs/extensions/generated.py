"""What pages do not write a second time: at a line `<!-- generated: NAME -->` stands what the code says."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from typer.cli import get_docs_for_click

from flows.cli import app as cli
from recsys.config import Config
from recsys.models.base import Choice, Range
from recsys.models.table import TABLE
from recsys.tracking import QUIET as MLFLOW
from tasks.settings import QUIET, RELIABLE

DOCS = Path(__file__).parents[1]
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
OUTSIDE = re.compile(r"(?<=\]\()((?:\.\./)+[^)#\s]+\.md)(?:#[^)]*)?(?=\))")
OPTION = re.compile(r"(?<=\s)--[a-z-]+")  # in a sentence, where two hyphens would become a dash
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

Schema = dict[str, Any]


def commands() -> Iterator[str]:
    """Every command with its arguments and options, under the headings of `recsys --help`."""
    group = typer.main.get_command(cli)
    context = typer.Context(group)
    for panel in dict.fromkeys(command.rich_help_panel for command in group.commands.values()):
        yield f"## {panel}"
        for name, command in group.commands.items():
            if command.rich_help_panel == panel:
                told = get_docs_for_click(obj=command, ctx=context, indent=2, name=name, call_prefix="recsys")
                yield OPTION.sub(r"`\g<0>`", told)


def configuration() -> Iterator[str]:
    """Every key of a configuration, section by section: type, default, what is allowed, and what it is."""
    schema = Config.model_json_schema()
    yield from _section("Keys outside of sections", "", schema, schema["$defs"])
    yield "## Parameters of the models\n\nKeys of `models.params.NAME`: where the search of a model starts."
    for name, model in TABLE.items():
        schema = model.Config.model_json_schema()
        searched = {key: _searched(values) for key, values in model.SPACE.items()} | {
            key: ", ".join(f"{value:g}" for value in values) for key, values in model.SCORING.items()
        }
        rows = [
            (f"`{key}`", _type(field), _default(field), searched.get(key, ""), field.get("description", ""))
            for key, field in schema["properties"].items()
        ]
        yield f"### {name}\n\n" + _table(("key", "type", "default", "searched", "what it is"), rows)


def settings() -> Iterator[str]:
    """Variables that commands set where the user has not."""
    yield _table(
        ("variable", "value"), [(f"`{name}`", f"`{value}`") for name, value in (QUIET | RELIABLE | MLFLOW).items()]
    )


def _section(title: str, prefix: str, schema: Schema, defined: dict[str, Schema]) -> Iterator[str]:
    nested, rows = [], []
    for key, field in schema["properties"].items():
        inner = defined.get(field.get("$ref", "").rpartition("/")[2])
        if inner is not None and "properties" in inner:
            nested.append((f"{prefix}{key}", inner))
            continue
        default = "required" if key in schema.get("required", ()) else _default(field)
        rows.append((f"`{prefix}{key}`", _type(field), default, field.get("description", "")))
    about = schema.get("description", "") if prefix else "They stand before the first section."
    yield f"## {title}\n\n{about}\n\n" + _table(("key", "type", "default", "what it is"), rows)
    for name, inner in nested:
        yield from _section(f"[{name}]", f"{name}.", inner, defined)


def _type(field: Schema) -> str:
    """A type in words, with the values or bounds that are allowed."""
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"] if one.get("type") != "null")
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kind = field.get("type", "anything")
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "object":
        return f"table: text → {_type(field['additionalProperties'])}"
    bounds = [f"{sign} {field[name]:.10g}" for name, sign in BOUNDS.items() if name in field]
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return " ".join([words.get(kind, kind), ", ".join(bounds)]).strip()


def _default(field: Schema) -> str:
    """As it would be written in TOML, which for these values is JSON."""
    default = field.get("default", {} if field.get("type") == "object" else None)
    return "none" if default in (None, "") else f"`{json.dumps(default)}`"


def _searched(values: Range | Choice) -> str:
    if isinstance(values, Choice):
        return ", ".join(f"{value}" for value in values.values)
    return f"{values.low:g} to {values.high:g}" + (", logarithmic" if values.log else "")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in line) + " |" for line in lines
    )


GENERATED: dict[str, Callable[[], Iterator[str]]] = {
    "commands": commands,
    "configuration": configuration,
    "settings": settings,
}


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Write in what is generated, and make Markdown files outside of docs/ copies that come with the site.

    MyST takes a link to Markdown for one to a page of the site; those to other files it copies by itself.
    """
    text = MARK.sub(lambda found: "\n\n".join(GENERATED[found[1]]()), source[0])
    folder = (DOCS / page).parent
    source[0] = OUTSIDE.sub(
        lambda found: found[0] if (folder / found[1]).resolve().is_relative_to(DOCS) else f"path:{found[1]}", text
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """As Sphinx asks."""
    app.connect("source-read", fill)
    app.add_lexer("csv", TextLexer)  # Pygments has none
    return {"parallel_read_safe": True}
