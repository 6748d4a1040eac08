"""The replay itself: serve a period by three policies, take its feedback in, retrain, judge, promote or keep.

frozen keeps the first model, overwrite serves whatever was trained last, loop is the product: what it ingests, when it
retrains and what it promotes are decided by the code that decides for a real service, on a feedback store and a
registry of the replay's own. Each model, frozen or not, hears the whole history of whom it answers.
"""

import logging
import shutil
import time
from dataclasses import replace
from pathlib import Path

from recsys import registry, tracking
from recsys.backtest.outcome import (
    POLICIES,
    Decided,
    Outcome,
    decided_before,
    keep,
    keep_decided,
    outcome_of,
)
from recsys.backtest.replay import Period, visits
from recsys.backtest.serve import answers, feedback, worth
from recsys.backtest.setting import Setting, apart
from recsys.config import Config
from recsys.data.contract import DAY
from recsys.data.prepared import Prepared
from recsys.data.schema import TIME
from recsys.feedback.store import open_store
from recsys.metrics.ranking import PerUser
from recsys.registry import Version
from recsys.retraining import Signals, decide
from recsys.stages.ingest import ingest
from recsys.stages.pipeline import Trained, train
from recsys.stages.preprocess import preprocess
from recsys.stages.promote import build, evaluated_model, promote
from recsys.stages.retraining import champion, signals, warmed
from recsys.stages.validate import validate
from recsys.stages.workspace import prepared_set
from recsys.tracking import Run

log = logging.getLogger("recsys.backtest")

FIRST = "the first model of a backtest serves whatever it is worth"


@apart()
def begin(setting: Setting) -> Outcome:
    """Train the first model, which all policies start from, with the whole search of the configuration."""
    if found := outcome_of(setting, 0):
        return found
    started, config = time.perf_counter(), setting.config
    run = _run(setting, 0)
    prepared = _prepared(config)
    trained = train(config, prepared, log.info)
    spent = time.perf_counter() - started
    verdict = _judged(config, prepared, trained, run, refresh=False)
    if champion(config) is None:
        log.warning("backtest: %s: %s", FIRST, "; ".join(verdict))
        bundle = _built(setting.folder / "first", config, prepared, trained)
        number = registry.register(bundle, config.model_name, run.id, {"hybrid": trained.outcome.chosen})
        registry.promote(config.model_name, number, {}, against=None, why=FIRST)
        shutil.rmtree(bundle)
    outcome = Outcome(
        number=0,
        begin=int(setting.events[TIME].iloc[0]),
        end=setting.periods[0].begin,
        served={},
        decision=decide(Signals(champion=None), config.retrain),
        verdict=verdict,
        champion=_champion(config).number,
        promoted=True,
        champion_since=setting.periods[0].begin,
        overwrite="",
        train_seconds=spent,
        seconds=time.perf_counter() - started,
    )
    return _end(setting, run, outcome, [], {})


@apart()
def step(setting: Setting, period: Period) -> Outcome:
    """Serve a period, learn from it, and decide what serves the next one; a period that is done is found again."""
    if found := outcome_of(setting, period.number):
        return found
    started = time.perf_counter()
    first, before = outcome_of(setting, 0), outcome_of(setting, period.number - 1)
    if first is None or before is None:
        raise RuntimeError(f"period {period.number} comes after the one before it")
    run = _run(setting, period.number)
    users, ndcg, served = _serve(setting, period, first, before)

    config = _retraining(setting.config)
    ingest(config)
    prepared = _prepared(config)
    decided = _decide(setting, config, period, prepared, before)
    config = warmed(config, _version(config, decided.champion), prepared)
    began = time.perf_counter()
    trained = train(config, prepared, log.info)
    spent = time.perf_counter() - began
    verdict: tuple[str, ...] = ()
    if decided.decision.retrain:
        moved = _champion(config)
        # Killed after the promotion: it stands, with its reasons.
        again = moved.number != decided.champion
        verdict = _reasons(moved) if again else _judged(config, prepared, trained, run, refresh=True)
    now = _champion(config).number
    promoted = now != decided.champion
    overwrite = setting.folder / f"overwrite-{period.number:03d}"
    if not promoted:
        _built(overwrite, config, prepared, trained)
    outcome = Outcome(
        number=period.number,
        begin=period.begin,
        end=period.end,
        served=served,
        decision=decided.decision,
        verdict=verdict,
        champion=now,
        promoted=promoted,
        champion_since=period.end if promoted else before.champion_since,
        overwrite="" if promoted else overwrite.name,
        train_seconds=spent,
        seconds=time.perf_counter() - started,
    )
    return _end(setting, run, outcome, users, ndcg)


def _serve(
    setting: Setting, period: Period, first: Outcome, before: Outcome
) -> tuple[list[str], dict[str, PerUser], dict[str, str]]:
    """Answer the visits by every policy; the events of the period, and what the loop showed, become feedback."""
    config = setting.config
    wanted = visits(setting.events, period, config.backtest.visit_minutes)
    log.info("backtest: period %d, %s: %d visits", period.number, period, len(wanted))
    of_first, of_loop = _version(config, first.champion), _version(config, before.champion)
    of_overwrite = setting.folder / before.overwrite if before.overwrite else registry.download(of_loop)
    bundles = dict(zip(POLICIES, (registry.download(of_first), of_overwrite, registry.download(of_loop)), strict=True))
    served = {
        "frozen": f"v{of_first.number}",
        "overwrite": f"trained after period {before.number}",
        "loop": f"v{of_loop.number}",
    }
    answered = {policy: answers(bundle, wanted) for policy, bundle in bundles.items()}
    ndcg = {policy: worth(found, wanted, setting.items) for policy, found in answered.items()}
    source = f"backtest, period {period.number}"
    with open_store(config.store) as store:
        store.append(feedback(period, setting.events, wanted, answered["loop"], of_loop.number), source)
    return [str(user) for user in wanted.users], ndcg, served


def _decide(setting: Setting, config: Config, period: Period, prepared: Prepared, before: Outcome) -> Decided:
    """Decide as for a real service, but by the clock of the log."""
    if found := decided_before(setting, period.number):
        return found
    age = (period.end - before.champion_since) / DAY
    found_now = replace(signals(config, prepared), age_days=age)
    decision = decide(found_now, config.retrain)
    word = "retrain" if decision.retrain else "nothing to do"
    log.info("backtest: period %d: %s: %s", period.number, word, "; ".join(decision.reasons))
    decided = Decided(champion=before.champion, decision=decision)
    keep_decided(setting, period.number, decided)
    return decided


def _retraining(config: Config) -> Config:
    """A retraining searches less than the first training: it starts from what that one found."""
    return config.model_copy(update={"tuning": config.tuning.model_copy(update={"trials": config.backtest.trials})})


def _prepared(config: Config) -> Prepared:
    validate(config)
    return prepared_set(preprocess(config)[0])


def _judged(config: Config, prepared: Prepared, trained: Trained, run: Run, *, refresh: bool) -> tuple[str, ...]:
    made = (trained.fitted, trained.outcome, trained.tested)
    return promote(config, prepared, *made, run.id, refresh=refresh).reasons


def _built(folder: Path, config: Config, prepared: Prepared, trained: Trained) -> Path:
    """The challenger refit on all events, as a bundle, whether or not it was promoted."""
    model = evaluated_model(config, trained.fitted, trained.outcome)
    return build(folder, config, prepared, trained.outcome, trained.tested, model, "all").folder


def _champion(config: Config) -> Version:
    found = champion(config)
    assert found is not None, "the first period of a backtest makes a champion"
    return found


def _version(config: Config, number: int) -> Version:
    found = registry.find(config.model_name, number)
    assert found is not None, "nobody deletes a version of a replay"
    return found


def _reasons(version: Version) -> tuple[str, ...]:
    return tuple(version.tags.get("promotion.reasons", "").splitlines())


def _run(setting: Setting, number: int) -> Run:
    """The MLflow run of a period, in the replay's own store."""
    tracking.open_store(setting.config.store)
    tags = {"role": "backtest period", "period": number}
    return tracking.start(setting.config.name, f"period {number}", tags, resume_key=f"period {number}")


def _end(setting: Setting, run: Run, outcome: Outcome, users: list[str], ndcg: dict[str, PerUser]) -> Outcome:
    keep(setting, outcome, users, ndcg)
    means = {f"backtest/ndcg@10.{policy}": float(values.mean()) for policy, values in ndcg.items() if len(values)}
    run.log(metrics={**means, "seconds": outcome.seconds}, tags={"champion": outcome.champion})
    run.finish()
    # What a period leaves behind for a later run of the same data is of no use to the next period.
    shutil.rmtree(Path(setting.config.store) / "work", ignore_errors=True)
    for old in setting.folder.glob("overwrite-*"):
        if old.name != outcome.overwrite:
            shutil.rmtree(old)
    return outcome
