"""The gate and what follows: judge against the champion, refit the winner on all the data, register, move the alias."""

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recsys import registry
from recsys.config import Config, Section
from recsys.data.atomic import room
from recsys.data.dataset import Holdout
from recsys.data.prepared import Prepared
from recsys.hybrid import persistence
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.pool import FLOOR
from recsys.metrics.evaluation import evaluate
from recsys.models.base import Recommender
from recsys.promotion import LOST, Evidence, Side, Verdict, judge, refuse
from recsys.records import Move
from recsys.registry import ChampionChangedError, Version
from recsys.serving.bundle import Bundle, FittedOn, Manifest, write_bundle
from recsys.serving.judge import Rebased, as_known, comparable
from recsys.stages.candidates import Fitted, device_of
from recsys.stages.evaluate import Tested, members_for_test, strata
from recsys.stages.hybrids import Chosen, restored
from recsys.stages.off_policy import off_policy
from recsys.stages.workspace import work
from recsys.stale import STALE

log = logging.getLogger("recsys.promote")

KEY = "recsys.key"
"""Tag of a version: digest of everything its model depends on."""
MOST_JUDGEMENTS = 3
"""Times a challenger is judged while others keep moving the champion."""
TIMED_USERS = 50
"""Users scored one by one for the latency of an answer."""


class Promotion(Section):
    """How the gate decided, and what is registered now."""

    promoted: bool
    reasons: tuple[str, ...]
    gain: tuple[float, float | None, float | None] | None
    """Mean, lower and upper bound of the gain in ndcg@10; no bounds where one user was judged."""
    champion: int | None
    """Version that answers now."""
    version: int | None
    """Version of the challenger."""
    serving: str
    """What the champion that answers was fitted on, in words."""


def promote(
    config: Config, prepared: Prepared, fitted: Mapping[str, Fitted], outcome: Chosen, tested: Tested, run_id: str,
    *, refresh: bool = False,
) -> Promotion:  # fmt: skip
    """Judge the chosen hybrid, `refresh` if it is a retraining on newer data; register it; let it answer if it won.

    Where another run moves the champion meanwhile, the challenger is judged again, against the new one.

    Raises:
        ChampionChangedError: it moved at every judgement.
    """
    judgements = 1
    while True:
        try:
            return _promote(config, prepared, fitted, outcome, tested, run_id, refresh)
        except ChampionChangedError as error:
            if judgements == MOST_JUDGEMENTS:
                raise
            judgements += 1
            log.warning("promote: %s", error)


def _promote(
    config: Config, prepared: Prepared, fitted: Mapping[str, Fitted], outcome: Chosen, tested: Tested, run_id: str,
    refresh: bool,
) -> Promotion:  # fmt: skip
    # Several versions may hold one model: refit on everything, and not.
    same = [one for one in registry.versions(config.model_name) if one.tags.get(KEY) == outcome.key]
    against = registry.champion(config.model_name)
    if any(one.number == against for one in same):
        reason = f"champion v{against} is this very model: data, settings and code are unchanged since it was promoted"
        return _outcome(refuse(reason), against, against, config)
    off = registry.taken_off(config.model_name, [one.number for one in same])
    if off is not None:
        version = next(one for one in same if one.number == off.old)
        return _outcome(refuse(_stays_off(version, off)), against, version.number, config)
    evaluated = evaluated_model(config, fitted, outcome)
    verdict = _judge(config, prepared, outcome, tested, evaluated, registry.find(config.model_name, against), refresh)
    fitted_on: FittedOn = "all" if verdict.promoted and config.promotion.refit == "all" else "train+validation"
    there = [one.number for one in same if one.tags.get("fitted_on") == fitted_on]
    number = there[-1] if there else _register(config, prepared, outcome, tested, evaluated, fitted_on, run_id)
    if verdict.promoted:
        registry.promote(config.model_name, number, verdict.tags(), against=against, report=verdict.to_dict())
        log.info("promote: version %d of %s is the champion", number, config.model_name)
    else:
        registry.keep(config.model_name, number, verdict.tags(), against=against, report=verdict.to_dict())
        log.info("promote: version %d is kept back", number)
    return _outcome(verdict, registry.champion(config.model_name), number, config)


def _stays_off(version: Version, move: Move) -> str:
    """What a person decided about a model is not undone by judging the same model once more."""
    said = f", because {move.why!r}" if move.why else ""
    return (
        f"version {version.number} is this very model, and a person replaced it by version {move.new} on "
        f"{move.time}{said}; new data or settings make a new challenger, and "
        f"`recsys promote --model {version.uri} --force --why TEXT` brings this one back"
    )


def evaluated_model(config: Config, fitted: Mapping[str, Fitted], outcome: Chosen) -> WithFallback:
    """The chosen hybrid over the candidates fitted on train and validation, those it does not hear left out."""
    members = members_for_test(config, fitted)
    return WithFallback.of(restored(outcome.chosen, outcome, members).compact(), members[FLOOR])


def _outcome(verdict: Verdict, champion: int | None, version: int | None, config: Config) -> Promotion:
    plain = verdict.to_dict()["gain"]
    return Promotion(
        promoted=verdict.promoted,
        reasons=verdict.reasons,
        gain=None if plain is None else (plain["mean"], plain["lo"], plain["hi"]),
        champion=champion,
        version=version,
        serving="all events" if config.promotion.refit == "all" else "train + validation",
    )


def _judge(
    config: Config,
    prepared: Prepared,
    outcome: Chosen,
    tested: Tested,
    evaluated: Recommender,
    champion: Version | None,
    refresh: bool,
) -> Verdict:
    split = prepared.split
    challenger = tested.side(outcome.chosen, "challenger")
    if champion is None:
        baseline, kind, logged = tested.side(FLOOR, FLOOR), "popularity", None
    else:
        bundle = Bundle.load(registry.download(champion))
        scorer, why = comparable(bundle, split, config.split.method)
        name = f"champion v{champion.number}"
        if scorer is None and STALE in champion.tags:
            # It has to go, and what it has seen of the test can only help it.
            scorer, why = Rebased(bundle.evaluated, bundle.data, split.data), f"its evaluated model, although {why}"
            name += ", stale and at an advantage"
        if scorer is None:
            return refuse(f"{name} cannot be compared honestly: {why}")
        log.info("promote: champion v%d is scored by %s", champion.number, why)
        known = split.for_test.interactions
        test = as_known(split, bundle.data).test
        evaluation = evaluate(scorer, test, known, item_features=split.data.item_features, seed=config.seed)
        baseline = Side.of(name, evaluation, test, known)
        kind = "champion"
        logged = off_policy(config, split, evaluated, scorer, bundle)
    evidence = Evidence(
        challenger=challenger,
        baseline=baseline,
        baseline_kind="popularity" if kind == "popularity" else "champion",
        latency_ms=_latency(evaluated, split.test),
        artifact_mib=_mib(evaluated),
        strata=strata(prepared),
        refresh=refresh,
        lost=0.0 if champion is None else float(champion.tags.get(LOST, 0)),
        off_policy=logged,
    )
    return judge(evidence, config.promotion, config.seed)


def _register(
    config: Config, prepared: Prepared, outcome: Chosen, tested: Tested, evaluated: WithFallback,
    fitted_on: FittedOn,
    run_id: str,
) -> int:  # fmt: skip
    """Build the artifact and make it a version."""
    folder = work(config, "bundles", outcome.key)
    try:
        with room(folder):
            bundle = build(folder, config, prepared, outcome, tested, evaluated, fitted_on)
        tags = {
            KEY: outcome.key,
            "dataset.digest": prepared.summary["digest"],
            "hybrid": outcome.chosen,
            "fitted_on": fitted_on,
            "test.ndcg_at_10": f"{bundle.manifest.metrics['ndcg@10']:.4f}",
        }
        return registry.register(folder, config.model_name, run_id, tags)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def build(
    folder: Path, config: Config, prepared: Prepared, outcome: Chosen, tested: Tested, evaluated: WithFallback,
    fitted_on: FittedOn,
) -> Bundle:  # fmt: skip
    """Write the artifact of an evaluated model into a folder, which is emptied first.

    Args:
        folder: where to.
        config: of the run.
        prepared: what it was fitted and judged on.
        outcome: what it is.
        tested: what it was worth.
        evaluated: the chosen hybrid with its fallback, fitted on train and validation.
        fitted_on: `all` refits a copy of it on all the data, which then serves.
    """
    split = prepared.split
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(
        name=config.name,
        model=f"hybrid:{outcome.chosen}",
        fitted_on=fitted_on,
        config_digest=outcome.key,
        dataset_digest=prepared.summary["digest"],
        split_method=config.split.method,
        test_start=int(split.test_events.time.min()),
        last_event=int(split.data.interactions.time.max()),
        weights=outcome.weights[outcome.chosen],
        metrics=tested.metrics[outcome.chosen],
    )
    if fitted_on == "all":
        # A copy through the disk: refitting must not touch the model that was evaluated.
        with TemporaryDirectory(dir=folder.parent) as copy:
            persistence.save(evaluated, Path(copy))
            serving = persistence.load(Path(copy), device_of(config), seed=config.seed)
        log.info("promote: the winner is refit on all %s events", f"{len(split.data.interactions):,}")
        serving.fit(split.data)
    else:
        serving = evaluated
    assert isinstance(serving, WithFallback)
    fallback = serving.members["fallback"]
    return write_bundle(folder, manifest, split, serving=serving, evaluated=evaluated, fallback=fallback)


def _latency(model: Recommender, holdout: Holdout) -> float:
    """p95 of scoring one user, milliseconds, after a first call that warms up."""
    spent = []
    for row in range(min(TIMED_USERS, len(holdout))):
        history = holdout.history.select([row])
        begun = time.perf_counter()
        model.score(history)
        spent.append(1000 * (time.perf_counter() - begun))
    return float(np.percentile(spent[1:] or spent, 95))


def _mib(model: Recommender) -> float:
    """Arrays of a model and its members, MiB."""
    members: Mapping[str, Recommender] = getattr(model, "members", {})
    own = sum(array.nbytes for array in model.state().values()) / 2**20
    return own + sum(_mib(member) for member in members.values())
