"""Before the gate: open the test once, for every candidate and every hybrid."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.code import code_digest
from recsys.config import Config, Section
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import mark_used, new_folder
from recsys.data.prepared import Prepared
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.members import Remembered
from recsys.hybrid.pool import FLOOR
from recsys.metrics.evaluation import Evaluation, evaluate_all
from recsys.metrics.intervals import bootstrap_mean
from recsys.metrics.segments import item_segments, segments, user_segments
from recsys.models.base import Recommender
from recsys.promotion import COLD, METRIC, Side
from recsys.stages.candidates import Fitted, on_train_and_validation
from recsys.stages.hybrids import Chosen, restored
from recsys.stages.workspace import work

log = logging.getLogger("recsys.evaluate")

RESULT = "result.json"
PER_USER = "per_user.npz"
"""ndcg@10 by judged test user, in the order of the test, for paired comparisons: MODEL, and MODEL/head and MODEL/tail
with only those items counted as relevant, NaN for who has none; `segment`: 0 cold, 1 warm, 2 hot."""


class Tested(Section):
    """What every model was worth on test."""

    folder: str
    """Holds `PER_USER`."""
    metrics: dict[str, dict[str, float]]
    """model -> metric@k -> mean."""
    intervals: dict[str, dict[str, tuple[float, float]]]
    """model -> metric@k -> interval of the mean."""
    segments: dict[str, dict[str, dict[str, float]]]
    """model -> cold, warm, hot, head, tail -> users and metrics."""

    @property
    def per_user(self) -> Path:
        """The file of `PER_USER`."""
        return Path(self.folder) / PER_USER

    def side(self, name: str, shown_as: str) -> Side:
        """A model as the gate sees it."""
        with np.load(self.per_user, allow_pickle=False) as ndcg:
            values, tail, is_cold = ndcg[name], ndcg[f"{name}/tail"], ndcg["segment"] == COLD
        return Side(shown_as, values, self.metrics[name]["coverage@10"], values[is_cold], tail[~np.isnan(tail)])


def members_for_test(config: Config, fitted: Mapping[str, Fitted]) -> dict[str, Recommender]:
    """Every candidate, fitted on train and validation."""
    return {name: on_train_and_validation(one, config) for name, one in fitted.items()}


def evaluate_models(
    config: Config, prepared: Prepared, fitted: Mapping[str, Fitted], outcome: Chosen
) -> tuple[Tested, bool]:
    """Score the test users with everything, or find what an earlier run measured of the same models.

    Returns:
        The measures, and whether they are those of an earlier run.
    """
    promotion = config.promotion
    key = digest_of_parts(outcome.key, promotion.confidence, promotion.bootstrap, config.seed, code_digest("metrics"))
    folder = work(config, "tested", key)
    if (folder / RESULT).is_file():
        log.info("test: the models are unchanged, their measures are re-used")
        mark_used(folder)
        return Tested.model_validate_json((folder / RESULT).read_bytes()), True
    split = prepared.split
    members = {name: Remembered(model) for name, model in members_for_test(config, fitted).items()}
    hybrids = {name: restored(name, outcome, members) for name in outcome.cross_validated}
    served = {name: WithFallback.of(model, members[FLOOR]) for name, model in {**members, **hybrids}.items()}
    known = split.for_test.interactions

    def progress(done: int, total: int) -> None:
        log.info("test: %s of %s users judged by %d models", f"{done:,}", f"{total:,}", len(served))

    evaluations = evaluate_all(
        served, split.test, known,
        item_features=split.data.item_features, seed=config.seed, progress=progress,
    )  # fmt: skip
    tested = Tested(
        folder=str(folder),
        metrics={name: one.aggregate for name, one in evaluations.items()},
        intervals={name: {METRIC: _interval(one, config)} for name, one in evaluations.items()},
        segments={name: dict(segments(one, split.test, known)) for name, one in evaluations.items()},
    )
    with new_folder(folder) as draft:
        arrays = {name: one.per_user[METRIC] for name, one in evaluations.items()}
        for name, one in evaluations.items():
            by_item = item_segments(one, split.test, known)
            arrays |= {f"{name}/{group}": values for group, values in by_item.items()}
        np.savez(draft / PER_USER, allow_pickle=False, segment=strata(prepared), **arrays)
        (draft / RESULT).write_text(tested.model_dump_json(indent=1), encoding="utf-8")
    return tested, False


def strata(prepared: Prepared) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """[U] cold, warm or hot for every judged test user."""
    test = prepared.split.test
    return user_segments(test.select(np.flatnonzero(test.truth.lengths)).history)


def _interval(evaluation: Evaluation, config: Config) -> tuple[float, float]:
    return bootstrap_mean(
        evaluation.per_user[METRIC],
        confidence=config.promotion.confidence,
        resamples=config.promotion.bootstrap,
        seed=config.seed,
    )
