"""`recsys run` as a newcomer meets it: one real run from a log to a champion, and a second one that changes nothing."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest

from flows import cli
from flows.cli.training import _mlflow_server
from recsys import tracking
from recsys.config import CANDIDATES, HYBRIDS, parse
from recsys.models.table import TABLE

CONFIG = """
name = "tiny"
[data]
source = "synthetic?users=150&items=60&events=3000&communities=4"
[split]
method = "leave_last"
[models]
device = "cpu"
[models.params]
als = { factors = 16, epochs = 3 }
fm = { width = 8, epochs = 3 }
multvae = { width = 40, epochs = 3 }
sasrec = { width = 16, blocks = 1, epochs = 3 }
[tuning]
trials = 2
[hybrid]
folds = 2
"""
PROGRAM = "import sys; from flows.cli import main; sys.exit(main())"
STORE = "mlruns"


def recsys(folder, *words, **environment):
    """`recsys WORDS` in a process of its own, as it would run outside of tests."""
    ours = ("PREFECT_", "MLFLOW_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a newcomer has a configuration and nothing else."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "tiny.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def first(folder):
    """The first run, with no server there and nothing set."""
    done = recsys(folder, "run", "tiny.toml", "--report", "report")
    assert done.returncode == 0, done.stderr
    card = json.loads((folder / "report" / "scorecard.json").read_text())
    with sqlite3.connect(folder / STORE / "prefect" / "prefect.db") as database:
        artifacts = database.execute("SELECT key, data, description FROM artifact_collection").fetchall()
        flows = database.execute("SELECT name, state_type FROM flow_run").fetchall()
        tasks = database.execute("SELECT name, state_type FROM task_run").fetchall()
    database.close()
    return SimpleNamespace(out=done.stdout, err=done.stderr, card=card, artifacts=artifacts, flows=flows, tasks=tasks)


@pytest.fixture(scope="module")
def runs(folder, first):
    """MLflow's runs after the first run, by id."""
    tracking.open_store(folder / STORE)
    experiment = tracking.client().get_experiment_by_name("tiny")
    return {run.info.run_id: run for run in tracking.client().search_runs([experiment.experiment_id], max_results=1000)}


@pytest.fixture(scope="module")
def second(folder, runs, prefect_server):
    """The same command again, with a server that was started before."""
    done = recsys(folder, "run", "tiny.toml", "--report", "again", PREFECT_API_URL=prefect_server.url)
    assert done.returncode == 0, done.stderr
    card = json.loads((folder / "again" / "scorecard.json").read_text())
    return SimpleNamespace(out=done.stdout, err=done.stderr, card=card)


def by_role(runs, role):
    return [run for run in runs.values() if run.data.tags["role"] == role]


class TestTerminal:
    def test_every_long_step_shows_progress_in_its_order(self, first):
        steps = [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in first.err.splitlines()]
        stages = [step.partition(":")[0] for step in steps if ":" in step]
        assert list(dict.fromkeys(stages)) == ["validation", "preprocess", *CANDIDATES, "hybrid", "test", "promote"]
        for name in CANDIDATES:
            assert sum(f"{name}: trial {number} of 2 " in step for step in steps for number in (1, 2)) == 2
        assert steps[0] == "starting Prefect and MLflow …"
        assert steps[-1].startswith("done in ")

    def test_the_leaderboard_the_weights_and_the_verdict_are_printed(self, first):
        for name in (*CANDIDATES, *HYBRIDS):
            ndcg = first.card["models"][name]["test"]["ndcg@10"]
            assert re.search(rf"^ +\S+ +{name} +(baseline|candidate|hybrid) +{ndcg:.4f} ", first.out, re.MULTILINE)
        assert f"Hybrid weights: {first.card['hybrid']['chosen']}" in first.out
        assert "Promoted: version 1 is the champion" in first.out

    def test_the_next_commands_are_named_and_are_there(self, first, folder):
        following = [line.strip() for line in first.out.split("\nNext\n")[1].splitlines()]
        told = dict(zip(following[::2], following[1::2], strict=True))
        assert (folder / told["Report"]).is_file()
        assert (folder / told["Validation report"].removeprefix("open ")).is_file()
        assert told["MLflow UI"].endswith("mlflow server --backend-store-uri sqlite:///mlruns/mlflow.db")
        assert told["Recommend"] == "recsys recommend --model models:/recsys-tiny@champion --user ID"
        assert told["Versions"] == "recsys models"

    def test_nothing_else_is_said(self, first):
        assert not re.search("warning|traceback|prefect\\.|error", first.err, re.IGNORECASE)


class TestReport:
    def test_the_scorecard_has_every_part(self, first):
        card = first.card
        assert card["schema"] == 1
        assert {"name", "digest", "users", "items", "interactions"} <= set(card["dataset"])
        assert (card["dataset"]["name"], card["dataset"]["users"], card["dataset"]["items"]) == ("tiny", 150, 60)
        split = card["split"]
        assert (split["method"], split["leakage_check"]) == ("leave_last", "passed")
        assert split["train"] + split["validation"] + split["test"] == card["dataset"]["interactions"]
        stages = ("validate", "preprocess", "train", "hybrid", "promote", "orchestration")
        assert sum(card["timings"][stage] for stage in stages) == pytest.approx(card["timings"]["total"], rel=1e-3)
        assert {"python", "versions", "cpus", "device"} <= set(card["environment"])

    def test_every_model_is_told_alike(self, first):
        models = first.card["models"]
        assert set(models) == {*CANDIDATES, *HYBRIDS}
        kinds = {name: model["kind"] for name, model in models.items()}
        assert kinds == {
            "popularity": "baseline",
            **dict.fromkeys(CANDIDATES[1:], "candidate"),
            **dict.fromkeys(HYBRIDS, "hybrid"),
        }
        for name, model in models.items():
            assert {"params", "fit_seconds", "tune_seconds", "trials", "validation", "test", "test_ci"} <= set(model)
            assert {"ndcg@10", "recall@10", "coverage@10"} <= set(model["test"])
            low, high = model["test_ci"]["ndcg@10"]
            assert low < model["test"]["ndcg@10"] < high
            assert model["trials"] == (2 if name in CANDIDATES else 0)
            assert set(first.card["segments"][name]) == {"cold", "warm", "hot", "head", "tail"}

    def test_the_hybrid_is_a_choice_among_hybrids_with_shares_of_the_candidates(self, first):
        hybrid = first.card["hybrid"]
        assert hybrid["chosen"] in HYBRIDS
        assert set(hybrid["cv"]) == set(HYBRIDS)
        assert set(hybrid["weights"]) == set(hybrid["ablation"]) == set(CANDIDATES)
        assert min(hybrid["weights"].values()) >= 0
        assert sum(hybrid["weights"].values()) == pytest.approx(1, abs=1e-4)

    def test_what_was_planted_is_found(self, first):
        """Communities and a next item for every item: far above popularity."""
        test = {name: model["test"]["ndcg@10"] for name, model in first.card["models"].items()}
        assert test[first.card["hybrid"]["chosen"]] > 2 * test["popularity"]
        assert first.card["promotion"]["promoted"]
        assert first.card["promotion"]["gain"]["lo"] > 0

    def test_it_is_written_for_people_too(self, first, folder):
        page = (folder / "report" / "leaderboard.md").read_text()
        assert all(name in page for name in (*CANDIDATES, *HYBRIDS))
        for figure in ("leaderboard.png", "hybrid_weights.png", "tuning.png", "segments.png"):
            assert (folder / "report" / figure).read_bytes().startswith(b"\x89PNG")
            assert f"({figure})" in page


class TestPrefect:
    def test_the_run_page_has_an_artifact_a_stage(self, first):
        shown = {key: data for key, data, _ in first.artifacts}
        assert set(shown) == {"validation", "split", "mlflow", "leaderboard", "hybrid-weights", "promotion"}
        assert re.search(r"With examples of bad rows: `/.*/validation\.html`", shown["validation"])
        assert "![weights of the members](data:image/png;base64,iVBOR" in shown["hybrid-weights"]
        assert re.search(r"This run in MLflow: `[0-9a-f]{32}` in sqlite:///.*/mlruns/mlflow\.db", shown["mlflow"])
        assert "leakage check **passed**" in shown["split"]
        assert first.card["hybrid"]["chosen"] in shown["leaderboard"]
        assert all(description for *_, description in first.artifacts)

    def test_the_flow_and_its_tasks_are_named_and_completed(self, first):
        version = first.card["dataset"]["digest"][:6]
        assert first.flows == [(f"train tiny {version}", "COMPLETED")]
        names = {name for name, _ in first.tasks}
        assert {f"{verb} {name}" for name in CANDIDATES for verb in ("look at", "train", "refit")} <= names
        assert {"validate tiny", f"track tiny {version}", f"test on tiny {version}", "report on tiny"} <= names
        assert {state for _, state in first.tasks} == {"COMPLETED"}


class TestMLflow:
    def test_trials_are_nested_under_models_and_models_under_the_pipeline(self, runs):
        (pipeline,) = by_role(runs, "pipeline")
        models, trials = by_role(runs, "model"), by_role(runs, "trial")
        assert {run.data.tags["mlflow.parentRunId"] for run in models} == {pipeline.info.run_id}
        assert sorted(run.data.tags["model"] for run in models) == sorted((*CANDIDATES, *HYBRIDS))
        assert len(trials) == 2 * len(CANDIDATES)
        for run in trials:
            parent = runs[run.data.tags["mlflow.parentRunId"]]
            assert parent.data.tags["model"] == run.data.tags["model"]
        assert {run.info.status for run in runs.values()} == {"FINISHED"}

    def test_a_trial_has_parameters_a_metric_an_epoch_time_and_memory(self, runs):
        for run in by_role(runs, "trial"):
            assert {"validation/ndcg_at_10.best", "seconds", "memory_mib"} <= set(run.data.metrics)
            assert run.data.params
            history = tracking.client().get_metric_history(run.info.run_id, "validation/ndcg_at_10")
            epochs = 3 if "epochs" in TABLE[run.data.tags["model"]].Config.model_fields else 1
            assert [metric.step for metric in history] == [*range(1, epochs + 1)]

    def test_models_can_be_compared_by_the_test(self, runs, first):
        for run in by_role(runs, "model"):
            expected = first.card["models"][run.data.tags["model"]]["test"]["ndcg@10"]
            assert run.data.metrics["test/ndcg_at_10"] == pytest.approx(expected, rel=1e-5)
            assert run.inputs.dataset_inputs[0].dataset.digest == first.card["dataset"]["digest"]
            searched = {name for name in run.data.metrics if name.startswith(("search/", "training/", "weight/"))}
            assert bool(searched), "how a candidate was found, what a hybrid is made of"

    def test_the_pipeline_has_the_same_figures_and_why(self, runs, first):
        (pipeline,) = by_role(runs, "pipeline")
        card, found, tags = first.card, pipeline.data.metrics, pipeline.data.tags
        chosen = card["hybrid"]["chosen"]
        (model,) = (run for run in by_role(runs, "model") if run.data.tags["model"] == chosen)
        same = {name for name in model.data.metrics if name.startswith(("test/", "validation/", "weight/"))}
        assert {name: found[name] for name in same} == {name: model.data.metrics[name] for name in same}
        assert found["test/ndcg_at_10.gain"] == pytest.approx(card["promotion"]["gain"]["mean"], rel=1e-3)
        for name in CANDIDATES:
            assert found[f"tested/{name}"] == pytest.approx(card["models"][name]["test"]["ndcg@10"], rel=1e-5)
        assert tags["verdict"] == "Promoted: version 1 is the champion"
        assert tags["hybrid"].startswith(f"{chosen}: ")
        assert "models.params.als.factors=16" in tags["settings"]
        assert pipeline.info.run_name == f"tiny v1 {chosen}"
        assert tags["prefect.flow_run.name"] == f"train tiny {card['dataset']['digest'][:6]}"
        assert "system/cpu_utilization_percentage" in found

    def test_the_registry_says_what_it_holds(self, runs, first):
        client = tracking.client()
        model = client.get_registered_model("recsys-tiny")
        assert "`champion` answers" in model.description
        assert "models:/recsys-tiny@champion" in model.description
        version = client.get_model_version("recsys-tiny", "1")
        ndcg = first.card["models"][first.card["hybrid"]["chosen"]]["test"]["ndcg@10"]
        assert version.description.startswith(f"Test ndcg@10 **{ndcg:.4f}**")
        assert "**Promoted: version 1 is the champion.**" in version.description

    def test_the_report_is_kept_with_the_run(self, runs):
        (pipeline,) = by_role(runs, "pipeline")
        kept = {item.path for item in tracking.client().list_artifacts(pipeline.info.run_id, "report")}
        assert {"report/scorecard.json", "report/leaderboard.md", "report/leaderboard.png"} <= kept
        assert "# " in pipeline.data.tags["mlflow.note.content"]


class TestChampion:
    @pytest.fixture
    def ask(self, first, folder, monkeypatch, capsys):
        """Exit code and answer of a command of the library, in this process."""

        def asked(*words):
            monkeypatch.setattr(sys, "argv", ["recsys", *words, "--store", str(folder / STORE), "--json"])
            code = cli.main()
            return code, json.loads(capsys.readouterr().out)

        return asked

    def test_it_is_registered_with_its_score(self, ask, first):
        code, rows = ask("models")
        assert code == 0
        assert [(row["model"], row["version"], row["aliases"]) for row in rows] == [("recsys-tiny", 1, "champion")]
        assert rows[0]["ndcg@10"] == f"{first.card['models'][rows[0]['hybrid']]['test']['ndcg@10']:.4f}"
        assert rows[0]["fitted_on"] == "all"

    @pytest.mark.parametrize(
        ("words", "source"),
        [(("--user", "7"), "hybrid"), (("--user", "stranger"), "popularity"), (("--history", "1,2,3"), "hybrid")],
    )
    def test_it_answers_for_anybody(self, ask, words, source):
        code, rows = ask("recommend", "--model", "models:/recsys-tiny@champion", *words)
        assert (code, len(rows)) == (0, 10)
        assert [row["rank"] for row in rows] == [*range(1, 11)]
        assert {row["source"].partition(":")[0] for row in rows} == {source}
        assert all(0 <= row["item_id"] < 60 for row in rows)


class TestSecondRun:
    def test_it_says_what_it_uses_again_and_computes_nothing(self, second):
        assert "validation: the same data was accepted before, its verdict is re-used" in second.err
        assert "preprocess: data and settings are unchanged, the prepared set" in second.err
        for name in CANDIDATES:
            assert f"{name}: 2 of 2 trials are done already" in second.err
            assert f"{name}: the fit of its best parameters is re-used" in second.err
        assert "hybrid: the candidates are unchanged, the fitted hybrids are re-used" in second.err
        assert "test: the models are unchanged, their measures are re-used" in second.err
        assert not re.search(r": trial \d|: refit|is refit", second.err)

    def test_its_figures_are_the_same(self, first, second):
        for part in ("dataset", "split", "models", "hybrid", "segments", "notes"):
            assert second.card[part] == first.card[part], part

    def test_the_champion_stays_and_no_version_is_added(self, second, folder):
        assert second.card["promotion"]["promoted"] is False
        assert second.card["promotion"]["champion_version"] == 1
        assert second.card["promotion"]["reasons"] == [
            "champion v1 is this very model: data, settings and code are unchanged since it was promoted"
        ]
        tracking.open_store(folder / STORE)
        assert len(tracking.client().search_model_versions("name = 'recsys-tiny'")) == 1

    def test_no_trial_is_added(self, second, runs, folder):
        tracking.open_store(folder / STORE)
        experiment = tracking.client().get_experiment_by_name("tiny")
        now = tracking.client().search_runs([experiment.experiment_id], max_results=1000)
        assert sum(run.data.tags["role"] == "trial" for run in now) == len(by_role(runs, "trial"))


class TestCommand:
    def test_recsys_is_this_program(self):
        (command,) = (entry for entry in entry_points(group="console_scripts") if entry.name == "recsys")
        assert command.value == "flows.cli:main"

    def test_what_is_printed_to_be_copied_holds_for_any_folder(self, monkeypatch):
        monkeypatch.delenv(tracking.URI, raising=False)
        config = parse({"store": "my store", "data": {"path": "events.csv"}})
        quiet, *words = shlex.split(_mlflow_server(config))
        assert quiet == "MLFLOW_DISABLE_TELEMETRY=true"
        assert words == ["mlflow", "server", "--backend-store-uri", "sqlite:///my store/mlflow.db"]

    def test_help_names_run_beside_the_commands_of_the_library(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["recsys", "--help"])
        assert cli.main() == 0
        told = capsys.readouterr().out
        for command in ("run", "validate", "recommend", "evaluate", "models", "rollback", "data"):
            assert re.search(rf"\b{command}\b", told)

    @pytest.mark.parametrize("command", ["run", "retrain", "backtest"])
    def test_a_report_that_cannot_be_written_is_told_before_anything_starts(self, folder, monkeypatch, capsys, command):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["recsys", command, "tiny.toml", "--report", "tiny.toml"])
        assert cli.main() == 2
        _, err = capsys.readouterr()
        assert err == "recsys: tiny.toml cannot be written: tiny.toml is a file; name a folder\n"

    def test_wrong_parameters_are_told_before_anything_starts(self, folder, monkeypatch, capsys):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(
            sys, "argv", ["recsys", "run", "tiny.toml", "--set", "models.params.als.factor=8", "--set", 'store="none"']
        )
        assert cli.main() == 2
        assert capsys.readouterr().err == (
            "recsys: models.params.als.factor: did you mean 'factors'? (allowed: factors, epochs, alpha0, reg, nu, "
            "fit_half_life, half_life) (seen: 8)\n"
        )
        assert not (folder / "none").exists()
