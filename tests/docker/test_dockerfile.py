"""docker/Dockerfile, by its instructions: no image is built here."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def instructions():
    """(instruction, its text) of the Dockerfile, lines joined."""
    text = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def final():
    """Those of the stage that is shipped."""
    found = instructions()
    last = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[last + 1 :]


def test_a_linter_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_small_pinned_and_runs_without_rights():
    stages = [text for word, text in instructions() if word == "FROM"]
    assert stages == ["python:3.11-slim AS build", "python:3.11-slim"]
    users = [text for word, text in final() if word == "USER"]
    assert users == ["10001"]
    assert any(word == "RUN" and "useradd --uid 10001" in text and "recsys" in text for word, text in final())
    assert ("ENTRYPOINT", '["recsys"]') in final()
    assert all("constraints.txt" in text for word, text in instructions() if "pip install" in text)


def test_nothing_is_bought_or_built_in_what_is_shipped():
    assert not [text for _, text in final() if "pip" in text or "apt-get" in text]


def test_one_argument_decides_between_cpu_and_cuda():
    arguments = [text for word, text in instructions() if word == "ARG"]
    assert arguments == ["TORCH_INDEX=https://download.pytorch.org/whl/cpu"]
    assert any('--index-url "$TORCH_INDEX"' in text for word, text in instructions() if word == "RUN")


def test_what_the_image_copies_is_there_and_reaches_the_builder():
    copied = [
        source
        for word, text in instructions()
        if word == "COPY" and "--from" not in text
        for source in text.split()[:-1]
    ]
    sent = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().split()
    assert len(copied) == 8
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in sent


def test_no_secret_is_baked_in():
    assert not [text for _, text in instructions() if "PASSWORD" in text.upper() or "SECRET" in text.upper()]
