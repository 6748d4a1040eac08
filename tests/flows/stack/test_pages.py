"""What a person sees in a browser: a deployment started from its form, its run, the comparison and the model.

The tests share a stack, in their order: the first makes the run that the second compares.
`SCREENSHOTS=docs/img pytest tests/flows/stack/test_pages.py` takes the pictures of the pages in docs/ anew.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests import servers

RECSYS = [sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())"]
BROWSERS = ("chromium", "google-chrome")
SIZE = {"width": 1280, "height": 900}
TOY = 'name = "toy"\n[data]\npath = "toy.csv"\n[split]\nmethod = "leave_last"\n[tuning]\ntrials = 4\n'
pytestmark = pytest.mark.timeout(600)  # a stack, a browser and two trainings share what cores there are
PATIENCE = servers.PATIENCE * 1000
"""Milliseconds for what a page waits for."""
MORE = [["popularity", *two] for two in ((), *combinations(("als", "ease", "multvae", "fm"), 2), ("fm",), ("ease",))]
"""Candidates of the runs that come before the one of the form; the first for the tests, all for the pictures."""
ARTIFACTS = ("validation", "split", "leaderboard", "hybrid-weights", "promotion", "mlflow")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Where pictures go."""
    asked = os.environ.get("SCREENSHOTS")
    return Path(asked).absolute() if asked else tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def stack(toy_events, postgresql):
    """A stack with the deployments of a toy shop, and a run that was started from the command line."""
    # Not pytest's folder, which the user of PostgreSQL may not enter.
    folder = Path(tempfile.mkdtemp(prefix="recsys-pages-"))
    folder.chmod(0o755)
    toy_events().to_csv(folder / "toy.csv", index=False)
    (folder / "toy.toml").write_text(TOY)
    with servers.Stack(folder) as running:
        _typed(running, *RECSYS, "deploy", "toy.toml")
        prefect = [sys.executable, "-m", "prefect"]
        for candidates in MORE if "SCREENSHOTS" in os.environ else MORE[:1]:
            few = "overrides=" + json.dumps([f"models.candidates={json.dumps(candidates)}"])
            said = _typed(running, *prefect, "deployment", "run", "train/toy", "--param", few, "--watch")
            assert "Flow run finished successfully" in said
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def browser():
    """A page of an empty browser; whatever goes wrong in its scripts fails the test."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("there is no browser to test with: apt-get install chromium")
    with sync_playwright() as playwright:
        # Chromium's own fence needs rights that a container, or root, does not have.
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = running.new_page(viewport=SIZE)
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        yield page
        running.close()
    assert errors == []


def _typed(stack, *command):
    done = subprocess.run(
        command,
        cwd=stack.folder,
        env=servers.inherited() | stack.clients,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _picture(page, file, **how):
    page.wait_for_timeout(4000)  # what is drawn, such as the graph of a run, is there
    page.screenshot(path=file, **how)


def test_the_form_of_a_deployment_starts_a_run_whose_page_says_what_came_of_it(stack, browser, pictures):
    home = stack.clients["PREFECT_API_URL"].removesuffix("/api")
    browser.goto(f"{home}/deployments")
    for flow in ("train", "ingest", "retrain", "batch_recommend", "monitor", "backtest"):
        expect(browser.get_by_role("link", name=flow, exact=True)).to_be_visible()
    _picture(browser, pictures / "prefect-deployments.png")

    row = browser.get_by_role("row").filter(has=browser.get_by_role("link", name="train", exact=True))
    row.get_by_role("link", name="toy").click()
    browser.get_by_role("button", name="Run", exact=True).click()
    browser.get_by_text("Custom run").click()
    # Each field says what it is.
    expect(browser.get_by_text("path of a TOML file")).to_be_visible()
    browser.get_by_role("button", name="Add item").click()
    expect(browser.locator("textarea")).to_have_count(2)  # before it is there, the last is config's
    browser.locator("textarea").last.fill('models.candidates=["popularity","als"]')
    _picture(browser, pictures / "prefect-form.png", full_page=True)
    browser.get_by_role("button", name="Submit").click()
    browser.wait_for_url(re.compile(r"/deployments/deployment/[\w-]+\?"))

    browser.goto(f"{home}/runs")
    browser.locator("a[href*='/runs/flow-run/']").first.click()
    expect(browser.locator(".state-badge").first).to_have_text("Completed")
    browser.reload()
    expect(browser.get_by_text(re.compile(r"^train toy [0-9a-f]{6}$")).first).to_be_visible()
    browser.get_by_text("Artifacts", exact=True).last.click()
    for name in ARTIFACTS:
        expect(browser.get_by_role("link", name=name).last).to_be_visible()
    _picture(browser, pictures / "prefect-run.png", full_page=True)

    browser.get_by_text("leaderboard", exact=True).last.click()
    expect(browser.get_by_role("table").first).to_contain_text("als")


def test_mlflow_shows_at_a_glance_which_run_is_better(stack, browser, pictures):
    """After the test above there are two: of popularity alone, and of als beside it."""
    home = stack.clients["MLFLOW_TRACKING_URI"]
    browser.goto(f"{home}/#/experiments/1/runs")
    browser.get_by_text("toy v1").first.wait_for()
    browser.get_by_role("button", name="Close").click()  # MLflow's assistant
    # It opens a tab of its own.
    browser.goto(f"{home}/{browser.get_by_role('link', name='Which is better, and why').get_attribute('href')}")
    expect(browser.get_by_text("test/ndcg_at_10", exact=True).first).to_be_visible()
    browser.get_by_text("toy v1").first.wait_for()
    _picture(browser, pictures / "mlflow-runs.png")
    browser.get_by_role("checkbox").first.check()
    browser.get_by_role("button", name="Compare").click()
    expect(browser.get_by_text(re.compile(r"Comparing \d+ Runs from 1 Experiment"))).to_be_visible()
    expect(browser.get_by_text("test/ndcg_at_10", exact=True).first).to_be_visible()


def test_the_page_of_the_model_says_what_it_is_and_which_version_answers(stack, browser, pictures):
    browser.goto(f"{stack.clients['MLFLOW_TRACKING_URI']}/#/models/recsys-toy")
    expect(browser.get_by_text("recsys rollback")).to_be_visible()
    expect(browser.get_by_text("champion").last).to_be_visible()
    browser.get_by_role("button", name="Close").click()
    _picture(browser, pictures / "mlflow-model.png")
