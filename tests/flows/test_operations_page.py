"""prefect.yaml, the Makefile, docs/operations.md and the settings of Prefect say the same; no server needed."""

import os
import re
import subprocess
from pathlib import Path

import yaml

from tasks.settings import RELIABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_make_deploys_from_the_checkout(tmp_path):
    (tmp_path / ".ready").touch()
    command = ["make", "--dry-run", "deploy", f"VENV={tmp_path}", "CONFIG=my-shop.toml"]
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(f'; {tmp_path}/bin/recsys deploy "my-shop.toml"\n')


def test_the_page_tells_the_settings_of_the_server():
    exported = dict(re.findall(r"(PREFECT_SERVER_SERVICES_\w+)=(\w+)", PAGE))
    assert exported == {name: value for name, value in RELIABLE.items() if "SERVICES" in name}
    assert exported


def test_the_table_of_the_page_is_that_of_the_file():
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (waits|is cancelled) \| (.*?) \|$", PAGE, re.MULTILINE)
    waits = {"ENQUEUE": "waits", "CANCEL_NEW": "is cancelled"}
    assert rows == [
        (
            one["entrypoint"].split(".")[-1],
            waits[one["concurrency_limit"]["collision_strategy"]],
            ", ".join(f"`{tag}`" for tag in one["tags"]),
        )
        for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    ]
