"""`make docs`: one site of all pages, without a warning, that needs nothing from the network and says what the code
says."""

import html
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

from flows.cli import app
from recsys.config import Config
from recsys.models.table import TABLE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = sorted(path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md"))
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page links to, loads and can be linked at."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.anchors = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.add(found.get("id"))
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if LOADED.get(tag) in found and found.get("rel") != "canonical":
            self.loaded.add(found[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, by the command of the Makefile with other folders."""
    folder = tmp_path_factory.mktemp("site")
    ready = folder / "venv"
    ready.mkdir()
    for name in (".ready", ".ready-dev"):
        (ready / name).touch()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    asked = ["make", "--dry-run", "docs", f"VENV={ready}"]
    command = subprocess.run(
        asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert (command[0], command[-1]) == (f"{ready}/bin/sphinx-build", "build/docs")
    command = [sys.executable, "-m", "sphinx", *command[1:-1], "--doctree-dir", folder / "doctrees", folder / "html"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_is_reached_from_the_first(pages):
    reached, waiting = set(), {Path("index.html")}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        found = {Path(os.path.normpath(page.parent / urlsplit(link).path)) for link in pages[page].links if link}
        waiting |= {one for one in found if one in pages} - reached
    assert {source.with_suffix(".html") for source in SOURCES} <= reached


def test_every_link_leads_somewhere(pages, site):
    for page, content in pages.items():
        for link in content.links:
            to = urlsplit(link)
            if to.scheme or page.name in ("search.html", "genindex.html"):
                continue
            target = Path(os.path.normpath(page.parent / unquote(to.path))) if to.path else page
            assert (site / target).is_file(), f"{page} points at {link}"
            if to.fragment and target in pages:
                assert unquote(to.fragment) in pages[target].anchors, f"{page} points at {link}"


def test_nothing_is_loaded_from_elsewhere(pages, site):
    for page, content in pages.items():
        assert not [one for one in content.loaded if urlsplit(one).netloc], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def text_of(site, page):
    """What a reader sees."""
    return html.unescape(re.sub(r"<[^>]+>", "", (site / page).read_text(encoding="utf-8")))


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def test_every_key_is_told_with_what_it_is(site):
    said = " ".join(text_of(site, "reference/configuration.html").split())
    for key, field in [*keys(Config), *(found for model in TABLE.values() for found in keys(model.Config))]:
        assert f" {key} " in said
        assert field.description, f"{key} has no docstring"
        assert " ".join(field.description.replace("`", "").split()) in said


def leaves(command, *path):
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, *path, name)
    if not hasattr(command, "commands"):
        yield " ".join(path), command


def test_every_command_is_told_with_its_options(site):
    said = text_of(site, "reference/commands.html")
    for name, command in leaves(typer.main.get_command(app), "recsys"):
        _, _, rest = said.partition(f"$ {name} ")
        assert rest, name
        for parameter in command.params:
            shown = parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0]
            assert shown in rest, f"{name} {shown}"


def test_every_variable_of_ours_is_told():
    """But for those of the stack, whose page and description say which may be set."""
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    files = [path for folder in ("recsys", "tasks", "flows") for path in (ROOT / folder).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in files if "stack" not in path.parts]
    named = set(re.findall(r'"(RECSYS_[A-Z_]+)"', "".join(texts)))
    assert named
    assert sorted(name for name in named if f"`{name}`" not in page) == []
