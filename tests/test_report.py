"""The report: what is in the scorecard, on the terminal and in the files."""

import io
import json
import math
import re

import pytest
from pydantic import ValidationError
from rich.console import Console

from recsys.metrics.intervals import Gain
from recsys.promotion import Verdict, refuse
from recsys.report import environment as env
from recsys.report.markdown import leaderboard_markdown, report_markdown, verdict_markdown, weights_markdown
from recsys.report.scorecard import (
    DataOf,
    DatasetRecord,
    EnvironmentRecord,
    HybridRecord,
    ModelRecord,
    PromotionRecord,
    Scorecard,
    SplitRecord,
    TimingsRecord,
)
from recsys.report.terminal import print_leaderboard
from recsys.report.write import write_report

PNG = b"\x89PNG\r\n\x1a\n"
PASSED = "ndcg@10 0.1301 against 0.0612 of popularity: +0.0689, 95% interval [+0.0500, +0.0900]: passed"
FAILED = "p95 latency 900.0 ms, at most 500.0 ms: failed"
COMMAND = "recsys recommend --model models:/recsys-movielens-100k@champion --user 42 " + "-k 10 " * 12
STEPS = [("Open the MLflow UI", "make ui"), ("Ask for a recommendation", COMMAND)]


def model(kind, ndcg, *, fit=2.0, trials=6, params=None, earned=0.0):
    return ModelRecord(
        kind=kind,
        params=params or {},
        fit_seconds=fit,
        tune_seconds=75.25 if trials else 0.0,
        trials=trials,
        earned=earned,
        granted_seconds=240 * earned,
        validation={"ndcg@10": ndcg + 0.01},
        test={"ndcg@10": ndcg, "recall@10": ndcg * 1.5, "coverage@10": 0.25, "ndcg@20": ndcg * 1.1},
        test_ci={"ndcg@10": (ndcg - 0.015, ndcg + 0.016)},
    )


def card(**changes):
    """A scorecard like that of a MovieLens run."""
    models = {
        "popularity": model("baseline", 0.0612, fit=0.01),
        "als": model("candidate", 0.1034, earned=0.25, params={"factors": 64, "regularisation": 0.00123456789}),
        "sasrec": model("candidate", 0.1180, fit=185.0, earned=0.75),
        "weighted": model("hybrid", 0.1301, trials=0),
        "cascade": model("hybrid", 0.1100, trials=0),
    }
    segment = {"cold": {"users": 0}, "warm": {"users": 20, "ndcg@10": 0.1}, "hot": {"users": 80, "ndcg@10": 0.12}}
    parts = {
        "dataset": DatasetRecord(
            name="movielens-100k",
            digest="00ff",
            users=943,
            items=1682,
            interactions=100000,
            density=100000 / 943 / 1682,
            first="1997-09-20T03:05:10+00:00",
            last="1998-04-22T23:10:38+00:00",
            events_read=100000,
            dropped={"duplicate": 0},
        ),
        "split": SplitRecord(
            method="time",
            train=80000,
            validation=10000,
            test=10000,
            validation_users=120,
            test_users=100,
            leakage_check="passed",
            digest="aa",
        ),
        "models": models,
        "hybrid": HybridRecord(
            chosen="weighted",
            weights={"als": 0.25, "sasrec": 0.75, "popularity": 0.0},
            ablation={"als": -0.004, "sasrec": -0.0312},
            cv={"cascade": 0.11, "weighted": 0.14},
        ),
        "segments": dict.fromkeys(models, segment),
        "promotion": PromotionRecord(promoted=True, reasons=(PASSED,), champion_version=1),
        "timings": TimingsRecord(
            total=200.0, validate=5.0, preprocess=2.0, train=160.0, hybrid=10.0, promote=9.0, orchestration=14.0
        ),
        "environment": EnvironmentRecord(
            python="3.11.7",
            platform="Linux",
            versions={"torch": "2.13.0"},
            cpus=2,
            memory_gib=7.8,
            device="cpu",
            commit=None,
        ),
        "data_of": DataOf(serving="all events"),
        "notes": ("multvae was refused: 5.1 GiB estimated, models.memory_gib = 4.0",),
    }
    return Scorecard(**(parts | changes))


def printed(scorecard, width=100, **more):
    console = Console(file=io.StringIO(), width=width)
    print_leaderboard(scorecard, console, **more)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [110, 100, 80, 60])
def test_a_narrow_terminal_has_fewer_columns_and_cuts_none_off(width):
    lines = printed(card(), width).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    assert "…" not in "".join(lines)
    heading = next(line for line in lines if "95% interval" in line).split()
    assert heading[0] == "model"
    assert ("search" in heading) == (width >= 100)
    assert ("coverage@10" in heading) == (width >= 80)


def test_json_has_the_keys_of_the_schema():
    plain = json.loads(card().to_json())
    assert plain["schema"] == 1
    assert set(plain) == {
        *("schema", "dataset", "split", "models", "hybrid", "segments", "promotion", "timings", "environment"),
        *("data_of", "notes"),
    }
    assert set(plain["dataset"]) >= {"name", "digest", "users", "items", "interactions"}
    assert set(plain["split"]) >= {"method", "train", "validation", "test", "leakage_check"}
    assert set(plain["models"]["als"]) == {
        *("kind", "params", "fit_seconds", "tune_seconds", "trials", "validation", "test", "test_ci"),
        *("earned", "granted_seconds"),
    }
    assert set(plain["hybrid"]) == {"chosen", "weights", "ablation", "cv"}
    assert set(plain["promotion"]) == {"promoted", "reasons", "champion_version", "gain"}
    assert set(plain["timings"]) == {
        *("total", "validate", "preprocess", "train", "hybrid", "promote", "orchestration")
    }
    assert plain["models"]["weighted"]["test_ci"]["ndcg@10"] == [0.1151, 0.1461]
    assert plain["segments"]["als"]["warm"] == {"users": 20, "ndcg@10": 0.1}
    assert plain["data_of"]["test"] == "train + validation"


def test_json_reads_back_as_the_same_scorecard():
    assert Scorecard.model_validate_json(card().to_json()).to_json() == card().to_json()


def test_numbers_keep_six_significant_digits():
    plain = json.loads(card().to_json())
    assert plain["models"]["als"]["params"] == {"factors": 64, "regularisation": 0.00123457}
    assert plain["dataset"]["density"] == 0.0630467  # 100000 / (943 · 1682) = 0.06304669…


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(ValidationError, match="finite number"):
        HybridRecord(chosen="weighted", weights={"als": number}, ablation={}, cv={})
    with pytest.raises(ValueError, match=r"finite number|not JSON compliant"):
        card(models=card().models | {"als": model("candidate", 0.1, params={"lr": number})}).to_json()


def test_every_model_needs_what_the_tables_show():
    poor = model("candidate", 0.1).model_copy(update={"test": {"ndcg@10": 0.1}})
    with pytest.raises(ValidationError, match=r"model fm needs .*missing \['recall@10', 'coverage@10'\]"):
        card(models=card().models | {"fm": poor})


def test_the_chosen_hybrid_and_the_segments_are_of_models_that_exist():
    with pytest.raises(ValidationError, match="no such model: ensemble; there are popularity, als, "):
        card(hybrid=card().hybrid.model_copy(update={"chosen": "ensemble"}))
    with pytest.raises(ValidationError, match="no such model: fm; there are "):
        card(segments={"fm": {}})


def test_the_verdict_of_the_gate_becomes_a_record():
    record = PromotionRecord.of(Verdict(True, (PASSED,), Gain(0.07, 0.05, 0.09)), champion_version=3)
    assert record.model_dump() == {
        "promoted": True,
        "reasons": (PASSED,),
        "champion_version": 3,
        "gain": {"mean": 0.07, "lo": 0.05, "hi": 0.09},
    }
    assert PromotionRecord.of(refuse("nothing to compare"), None).gain is None


def test_the_gain_on_one_user_has_no_bounds():
    one = PromotionRecord.of(Verdict(False, ("no",), Gain(0.07, -math.inf, math.inf)), None)
    plain = card(promotion=one).model_dump_json(by_alias=True)
    assert json.loads(plain)["promotion"]["gain"] == {"mean": 0.07, "lo": None, "hi": None}
    assert Scorecard.model_validate_json(plain).promotion == one


def test_the_summary_of_a_prepared_set_becomes_a_record():
    summary = card().dataset.model_dump() | {"user_features": 12, "split": {}}
    assert DatasetRecord.of(summary) == card().dataset


def test_environment_of_this_process():
    found = env.environment("cpu")
    assert re.match(r"3\.\d+", found.python)
    assert set(found.versions) == set(env.LIBRARIES)
    assert found.cpus >= 1
    assert 0.1 < found.memory_gib < 1e5
    assert found.device == "cpu"


def test_commit_of_a_clone_and_of_none(tmp_path):
    assert env.commit(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert env.commit(tmp_path) is None


def test_leaderboard_markdown_is_sorted_and_marks_the_chosen():
    lines = leaderboard_markdown(card()).splitlines()
    assert lines[2] == (
        "| **1** | **weighted ◄ chosen** | **hybrid** | **0.1301** | **0.1151–0.1461** | **0.1951** | **25.0%** "
        "| **–** | **–** | **2.0 s** |"
    )
    assert lines[3] == ("| 2 | sasrec | candidate | 0.1180 | 0.1030–0.1340 | 0.1770 | 25.0% | 6 | 1m 15s | 3m 05s |")
    assert [line.split("|")[2].strip() for line in lines[4:7]] == ["cascade", "als", "popularity"]
    assert lines[-3:] == [
        "Test figures: models fitted on train + validation; serving model: fitted on all events.",
        "",
        "Weight earned in the blend of the first models, and time to search with: sasrec 0.750, 3m 00s; als 0.250, "
        "1m 00s; popularity 0.000, 0.0 s.",
    ]


def test_models_that_tie_stand_in_the_order_of_their_names():
    twins = {name: model("candidate", 0.2) for name in ("sasrec", "als")}
    tied = card(models=card().models | twins)
    assert [name for name, _ in tied.ranked()][:2] == ["als", "sasrec"]


def test_weights_markdown():
    assert weights_markdown(card()).splitlines() == [
        "**weighted** was chosen by ndcg@10 on cross-validated validation users, the simplest within two "
        "standard errors of the best: weighted 0.1400, cascade 0.1100.",
        "",
        "| member | weight | ndcg@10 without it |",
        "| :-- | --: | --: |",
        "| sasrec | 0.750 | −0.0312 |",
        "| als | 0.250 | −0.0040 |",
        "| popularity | 0.000 | – |",
    ]


def test_verdict_markdown():
    assert verdict_markdown(card()) == f"**Promoted: version 1 is the champion.**\n\n- ✓ {PASSED}"
    refused = card(promotion=PromotionRecord(promoted=False, reasons=(PASSED, FAILED), champion_version=2))
    assert verdict_markdown(refused) == (
        f"**Not promoted: version 2 stays the champion.**\n\n- ✓ {PASSED}\n- ✗ {FAILED}"
    )
    first = card(promotion=PromotionRecord(promoted=False, reasons=("no",), champion_version=None))
    assert verdict_markdown(first) == "**Not promoted: there is no champion yet.**\n\n- • no"


def test_report_markdown_has_every_part():
    text = report_markdown(card(), ["leaderboard.png"])
    assert text.startswith(
        "# movielens-100k\n\nmovielens-100k: 100,000 interactions of 943 users and 1,682 items; "
        "time split, 100 test users, leakage check passed."
    )
    assert "| ndcg@10 | cold (0 users) | warm (20 users) | hot (80 users) | head (0 users) | tail (0 users) |" in text
    assert "| weighted | – | 0.1000 | 0.1200 | – | – |" in text
    assert "3m 20s in all: validate 5.0 s, preprocess 2.0 s, train 2m 40s, hybrid 10 s" in text
    assert "- multvae was refused: 5.1 GiB estimated" in text
    assert text.endswith("![leaderboard](leaderboard.png)\n")


def test_the_terminal_shows_leaderboard_weights_verdict_and_commands():
    text = printed(card(), next_steps=STEPS)
    lines = text.splitlines()
    assert max(map(len, lines[:-1])) <= 100
    assert re.search(r"► +weighted +hybrid +0\.1301 +0\.1151–0\.1461 +0\.1951 +25\.0% +2\.0 s", text)
    assert re.search(r"5 +popularity +baseline +0\.0612", text)
    assert re.search(r"sasrec +0\.750 +█{22}·{8} +ndcg@10 without it −0\.0312", text)
    assert "Promoted: version 1 is the champion" in text
    # Long reasons are folded, so compare without line breaks.
    assert "✓ " + PASSED in re.sub(r"\s+", " ", text)
    assert "• multvae was refused" in text
    assert lines[-4:] == ["  Open the MLflow UI", "    make ui", "  Ask for a recommendation", "    " + COMMAND]


def test_square_brackets_are_text_not_markup():
    note = "events [bold]7[/bold] [red]"
    assert note in printed(card(notes=(note,)))


def test_without_weights_there_is_no_empty_table():
    bare = card(hybrid=HybridRecord(chosen="weighted", weights={}, ablation={}, cv={"weighted": 0.1}))
    assert "| member" not in weights_markdown(bare)
    assert "Hybrid weights: weighted\n  chosen by" in printed(bare)


def test_files_of_the_report(tmp_path):
    folder = tmp_path / "deep" / "report"
    written = write_report(card(), folder, histories={"als": [0.1, 0.08, 0.11], "sasrec": [0.12], "fm": []})
    names = [
        "scorecard.json",
        "leaderboard.md",
        "leaderboard.png",
        "hybrid_weights.png",
        "tuning.png",
        "segments.png",
    ]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert all(path.read_bytes().startswith(PNG) for path in written[2:])
    assert (folder / "scorecard.json").read_text(encoding="utf-8") == card().to_json()
    assert "![tuning](tuning.png)" in (folder / "leaderboard.md").read_text(encoding="utf-8")


def test_a_report_replaces_an_earlier_one_whole(tmp_path):
    write_report(card(), tmp_path, histories={"als": [0.1]})
    write_report(card(notes=()), tmp_path)
    assert not (tmp_path / "tuning.png").exists()
    text = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "tuning.png" not in text
    assert "multvae" not in text


def test_values_by_user_are_taken_over_as_they_are(tmp_path):
    kept = tmp_path / "kept.npz"
    kept.write_bytes(b"values by user")
    written = write_report(card(), tmp_path / "report", per_user=kept)
    assert tmp_path / "report" / "per_user.npz" in written
    assert (tmp_path / "report" / "per_user.npz").read_bytes() == b"values by user"
    write_report(card(), tmp_path / "report")
    assert not (tmp_path / "report" / "per_user.npz").exists(), "it belonged to the earlier run"


def test_figures_take_models_they_have_no_colour_for(tmp_path):
    write_report(card(models=card().models | {"mine": model("candidate", 0.2)}), tmp_path, histories={"mine": [0.2]})
    assert (tmp_path / "leaderboard.png").read_bytes().startswith(PNG)


def test_one_scorecard_one_set_of_bytes(tmp_path):
    first, second = (write_report(card(), tmp_path / name, histories={"als": [0.1]}) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_figures_leave_no_global_state(tmp_path):
    from matplotlib import pyplot

    write_report(card(), tmp_path)
    assert pyplot.get_fignums() == []
