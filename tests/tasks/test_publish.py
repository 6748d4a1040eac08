"""What leads from MLflow to Prefect."""

from uuid import uuid4

from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.publish import flow_run_tags


def test_the_address_of_a_flow_run_has_no_password(monkeypatch):
    for name, value in (("ID", str(uuid4())), ("NAME", "shop")):
        monkeypatch.setenv(f"PREFECT__RUNTIME__FLOW_RUN__{name}", value)
    with temporary_settings({PREFECT_API_URL: "http://me:sesame@prefect.example.org:4200/api"}):
        said = flow_run_tags()
    assert said["prefect.flow_run.url"].startswith("http://prefect.example.org:4200/")
