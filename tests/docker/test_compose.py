"""docker/compose*.yaml: their schema, alone and merged, what they promise, and the one command that no stack runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
import yaml

from flows.stack.description import VARIABLE, merge
from tests import servers

FOLDER = Path(__file__).parents[2] / "docker"
BASE, AUTH, CUDA = (FOLDER / f"compose{kind}.yaml" for kind in ("", ".auth", ".cuda"))
OURS = ("prefect", "mlflow", "worker", "bucket")


@pytest.fixture(scope="module")
def described():
    return merge([BASE])


@pytest.mark.parametrize("files", [[BASE], [AUTH], [CUDA], [BASE, AUTH], [BASE, CUDA], [BASE, AUTH, CUDA]])
def test_schema(files, tmp_path):
    merged = tmp_path / "compose.yaml"
    merged.write_text(yaml.safe_dump(merge(files)))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, *map(str, files), str(merged)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_refuses_what_is_no_key(tmp_path):
    wrong = tmp_path / "compose.yaml"
    wrong.write_text("services: {worker: {imgae: recsys-pipeline}}")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "imgae" in done.stdout


def test_every_port_is_published_on_the_loopback_address_under_its_own_number(described):
    published = [port for service in described["services"].values() for port in service.get("ports", ())]
    assert len(published) == 3
    for port in published:
        outside, inside = re.fullmatch(r"127\.0\.0\.1:(\$\{\w+:-\d+\}):(\$\{\w+:-\d+\})", port).groups()
        assert outside == inside


def test_no_secret_has_a_default():
    for file in (BASE, AUTH, CUDA):
        found = [one for one in VARIABLE.finditer(file.read_text()) if re.search("PASSWORD|SECRET", one["name"] or "")]
        assert {one["kind"] for one in found} <= {":?"}
    written = " ".join(file.read_text() for file in (BASE, AUTH, CUDA))
    assert "password1234" not in written


def test_what_serves_is_watched_restarted_and_waited_for(described):
    services = described["services"]
    assert set(services) == {"database", "objects", "bucket", "prefect", "mlflow", "worker"}
    for name, service in services.items():
        once = name == "bucket"
        assert service["restart"] == ("no" if once else "unless-stopped")
        assert ("healthcheck" in service) is not once
        for needed, how in service.get("depends_on", {}).items():
            ended = needed == "bucket"
            assert how["condition"] == ("service_completed_successfully" if ended else "service_healthy")
    assert services["worker"]["depends_on"].keys() == {"prefect", "mlflow"}


def test_ours_run_without_rights_from_one_image(described):
    for name in OURS:
        service = described["services"][name]
        assert service["image"] == "recsys-pipeline"
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])


def test_images_of_others_are_pinned(described):
    images = {name: service["image"] for name, service in described["services"].items() if name not in OURS}
    assert images.keys() == {"database", "objects"}
    assert all(re.search(r":\d", image) for image in images.values())


def test_with_passwords_mlflow_is_started_the_same_way(described):
    guarded = merge([BASE, AUTH])["services"]
    assert guarded["mlflow"]["command"] == [*described["services"]["mlflow"]["command"], "--app-name=basic-auth"]
    others = [name for name in guarded if name != "mlflow"]
    assert all(guarded[name].get("command") == described["services"][name].get("command") for name in others)


def test_a_gpu_changes_no_command(described):
    with_gpu = merge([BASE, CUDA])["services"]["worker"]
    assert with_gpu["command"] == described["services"]["worker"]["command"]
    assert list(with_gpu["build"]["args"]) == ["TORCH_INDEX"]


def test_the_object_store_knows_its_user(described):
    (known,) = json.loads(described["configs"]["objects"]["content"])["identities"]
    bucket = described["services"]["bucket"]["environment"]
    (keys,) = known["credentials"]
    assert [keys["accessKey"], keys["secretKey"]] == [bucket["AWS_ACCESS_KEY_ID"], bucket["AWS_SECRET_ACCESS_KEY"]]


def test_the_command_that_makes_the_bucket_makes_it_once(described, object_store, monkeypatch):
    program = described["services"]["bucket"]["command"]
    environment = servers.inherited() | object_store.environment
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, *program[1:]], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    assert [one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"]] == ["artifacts"]
    assert os.environ["AWS_ENDPOINT_URL_S3"] == object_store.url
