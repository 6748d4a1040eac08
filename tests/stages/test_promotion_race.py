"""Two processes promote at once: one wins on its first judgement, the other judges again, against the winner."""

import json
import subprocess
import sys
from pathlib import Path

from recsys import registry, tracking

MODEL = "recsys-toy"
PROGRAM = """
import json, sys, time
from pathlib import Path

from recsys import config as configuration, tracking
from recsys.stages import candidates, evaluate, hybrids, promote, sharing
from recsys.stages.preprocess import preprocess
from recsys.stages.workspace import prepared_set

file, here, other = map(Path, sys.argv[1:])
config = configuration.load(file)
tracking.open_store(config.store)
prepared = prepared_set(preprocess(config)[0])
first = {name: candidates.first_look(name, config, prepared, 3600.0) for name in config.models.candidates}
earned = sharing.earned(config, prepared, first)
searched = {name: candidates.search(first[name], config, prepared, earned[name], 3600.0) for name in first}
fitted = {name: candidates.refit(one, config, prepared) for name, one in searched.items()}
outcome, _ = hybrids.fit_hybrids(config, prepared, fitted)
tested, _ = evaluate.evaluate_models(config, prepared, fitted, outcome)
run = tracking.start("toy", here.name)
judged = []
whole = promote._judge

def judge(*words):
    verdict = whole(*words)
    judged.append(verdict.reasons[0])
    if len(judged) == 1:
        # The race: neither goes on before both have judged against the champion of the beginning.
        here.touch()
        until = time.monotonic() + 300
        while not other.exists() and time.monotonic() < until:
            time.sleep(0.01)
    return verdict

promote._judge = judge
promotion = promote.promote(config, prepared, fitted, outcome, tested, run.id)
print(json.dumps({"judged": judged, "promoted": promotion.promoted, "version": promotion.version, "run": run.id}))
"""


def test_exactly_one_wins_at_once_and_the_other_judges_again(store, configure, install, tmp_path):
    """Two hybrids of different settings, both better than the champion, which recommends what is popular."""
    assert install() == 1
    names = ("first", "second")
    for name, reg in zip(names, (5, 500), strict=True):
        (tmp_path / f"{name}.toml").write_text(
            f"""name = "toy"
store = "{store}"
data = {{ path = "events.csv" }}
split = {{ method = "leave_last" }}
models = {{ candidates = ["popularity", "ease"], device = "cpu", params = {{ ease = {{ reg = {reg}.0 }} }} }}
tuning = {{ trials = 1 }}
hybrid = {{ methods = ["weighted"], folds = 2 }}
promotion = {{ bootstrap = 200 }}
"""
        )
    configure()  # writes the log
    both = []
    for name, other in (names, names[::-1]):
        words = [tmp_path / f"{name}.toml", tmp_path / f"{name} judged", tmp_path / f"{other} judged"]
        command = [sys.executable, "-c", PROGRAM, *map(str, words)]
        both.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    told = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    answers = [json.loads(out.splitlines()[-1]) for out, _ in told]
    winner, other = sorted(answers, key=lambda answer: len(answer["judged"]))
    assert [" of champion v1: +" in reason for reason in (winner["judged"][0], other["judged"][0])] == [True, True]
    assert (len(winner["judged"]), winner["promoted"]) == (1, True)
    assert len(other["judged"]) == 2
    assert f" of champion v{winner['version']}: " in other["judged"][1]

    versions = {one.number: one for one in registry.versions(MODEL)}
    first, *later = registry.history(MODEL)
    assert (first.old, first.new) == (None, 1)
    assert (later[0].old, later[0].new) == (1, winner["version"])
    assert [(move.old, move.new) for move in later[1:]] == (
        [(winner["version"], other["version"])] if other["promoted"] else []
    )
    assert "champion" in versions[later[-1].new].aliases
    # The verdict that counts is on both versions it speaks of, as tags and as an artifact.
    assert versions[winner["version"]].tags["judged.against"] == str(other["version"])
    assert versions[1].tags["judged.against"] == str(winner["version"])
    assert versions[other["version"]].tags["promotion.baseline"] == f"champion v{winner['version']}"
    for run, file in ((other["run"], "verdict.json"), (winner["run"], f"judged/verdict-v{other['version']}.json")):
        path = tracking.client().download_artifacts(run, file, str(tmp_path))
        verdict = json.loads(Path(path).read_text())
        assert (verdict["version"], verdict["against"]) == (other["version"], winner["version"])
        assert verdict["compared"]["baseline"] == f"champion v{winner['version']}"
