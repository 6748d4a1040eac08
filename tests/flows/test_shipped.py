"""Files that are no code are found in a checkout, and where pip installs them."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flows.shipped import shipped
from recsys.errors import InputError

ROOT = Path(__file__).parents[2]
SHIPPED = ("prefect.yaml", "docker/compose.yaml", "docker/compose.auth.yaml")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What a wheel of this checkout holds, where pip would put it."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("recsys", "tasks", "flows", "docker"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "prefect.yaml"):
        shutil.copy(ROOT / name, source)
    program = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    command = [sys.executable, "-W", "ignore", "-c", program, str(source / "wheel")]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (source / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "lib")
    (data,) = (folder / "lib").glob("*.data/data")
    shutil.move(data / "share", folder / "share")
    return folder


@pytest.mark.parametrize("name", SHIPPED)
def test_in_a_checkout(name):
    assert shipped(name) == ROOT / name


def test_in_a_checkout_where_it_is_not():
    with pytest.raises(InputError, match=r"no nowhere\.yaml at .* or .*; install the project again"):
        shipped("nowhere.yaml")


@pytest.mark.parametrize("name", SHIPPED)
def test_installed(installed, tmp_path, name):
    program = f"""
import sys
sys.prefix = {str(installed)!r}
sys.path.insert(0, {str(installed / "lib")!r})
from flows.shipped import shipped
print(shipped({name!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(installed / "share" / "recsys-pipeline" / name), done.stderr
    assert Path(done.stdout.strip()).read_bytes() == (ROOT / name).read_bytes()
