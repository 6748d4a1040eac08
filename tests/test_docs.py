"""What README and docs tell people to type works: commands, options, configurations, targets, links, pictures."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from flows.cli import app
from recsys.config import load, parse

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "docker/README.md",
    ROOT / "mlruns/README.md",
]
README = PAGES[0].read_text()
FOLDERS = ("recsys", "tasks", "flows", "configs", "tests", "docs", "docker")

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
MADE = re.compile(r"^`([\w./-]+)`:$", re.MULTILINE)  # the name of a file that stands below it
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
cli = typer.main.get_command(app)


def blocks(language: str) -> list[str]:
    return [text for page in PAGES for kind, text in FENCE.findall(page.read_text()) if kind == language]


def spans() -> list[str]:
    return [span for page in PAGES for span in INLINE.findall(FENCE.sub("", page.read_text()))]


def commands(program: str) -> list[str]:
    """Everything behind `program` that somebody could type, without comments and without variables before it."""
    lines = [line.partition(" #")[0].strip() for text in blocks("") for line in text.splitlines()] + spans()
    found = [re.sub(r"^(\w+=\S+ )+", "", line) for line in lines]
    return sorted({line for line in found if line.startswith(f"{program} ")})


def leaves(group: typer.core.TyperGroup, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield from leaves(command, *path, name) if hasattr(command, "commands") else [(*path, name)]


def headings(page: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("line", commands("recsys"))
def test_commands_parse(line: str) -> None:
    command, words = cli, shlex.split(line)[1:]
    while hasattr(command, "commands"):
        assert (words or [None])[0] in command.commands, line
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)  # raises on an unknown option or a missing argument


def test_every_command_stands_under_a_heading_of_the_help() -> None:
    assert not [name for name, command in cli.commands.items() if not isinstance(command.rich_help_panel, str)]


def test_every_command_is_in_the_readme() -> None:
    assert [path for path in leaves(cli) if f"recsys {' '.join(path)}" not in README] == []


def test_options_named_alone_exist() -> None:
    known = {"--help", "--user", "--history"}
    for path in leaves(cli):
        command = cli
        for name in path:
            command = command.commands[name]
        known.update(option for parameter in command.params for option in parameter.opts)
    assert [span for span in spans() if span.startswith("-") and span.split()[0] not in known] == []


def test_overrides_are_accepted() -> None:
    text = " ".join(page.read_text() for page in PAGES)
    overrides = re.findall(r"--set ([\w.]+=[^\s`]+)", text)
    assert overrides
    for override in overrides:
        load(ROOT / "configs/demo.toml", [] if override == "section.key=value" else [override])


@pytest.mark.parametrize("text", blocks("toml"))
def test_configurations_load(text: str) -> None:
    parse(tomllib.loads(text))


def test_the_first_configuration_has_five_lines() -> None:
    first = next(text for kind, text in FENCE.findall(README) if kind == "toml")
    assert len(first.splitlines()) == 5


def test_the_payload_is_json() -> None:
    payload = re.search(r"-d '(.*?)'", README, re.DOTALL)
    assert payload is not None
    asked = json.loads(payload[1])
    assert set(asked) == {"dataframe_records", "params"}


def test_make_targets_exist() -> None:
    named = {word for line in commands("make") for word in shlex.split(line)[1:] if word.isalpha()}
    assert {"demo", "test"} <= named <= targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if path.startswith("http"):
            continue
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} points at {link}"
        assert not anchor or anchor in headings(target), f"{page.name} points at {link}, which has no such heading"


def test_paths_in_text_exist() -> None:
    paths = [span for span in spans() if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./-]*", span)]
    assert len(paths) > 20
    made = {path for page in PAGES for path in MADE.findall(page.read_text())}
    assert [path for path in paths if not (ROOT / path).exists() and path not in made] == []


def test_every_picture_is_shown() -> None:
    shown = {Path(link).name for page in PAGES for link in LINK.findall(page.read_text())}
    assert {path.name for path in (ROOT / "docs/img").iterdir()} <= shown
