"""Before a retraining: how the log has moved on since the champion learnt from it, and where its search starts."""

import logging
from datetime import UTC, datetime

import numpy as np

from recsys import registry
from recsys.config import Config, ModelsSection
from recsys.data.contract import DAY
from recsys.data.dataset import Dataset, Holdout
from recsys.data.idmap import UNKNOWN
from recsys.data.interactions import Interactions
from recsys.data.prepared import Prepared
from recsys.data.schema import BoolArray, FloatArray, IntArray, RowArray
from recsys.hybrid.base import Combination
from recsys.metrics.drift import popularity_shift, score_shift
from recsys.metrics.evaluation import evaluate
from recsys.metrics.recommend import recommend
from recsys.models.base import Recommender
from recsys.models.table import TABLE
from recsys.promotion import METRIC
from recsys.registry import Version
from recsys.retraining import Drift, Signals
from recsys.serving.bundle import Bundle
from recsys.serving.judge import Rebased, as_known
from recsys.stages.candidates import fits_memory
from recsys.stale import STALE

log = logging.getLogger("recsys.retrain")

MOST_USERS = 1000
"""Users the champion answers to be watched: a seeded sample of those with new events, as large a one of all others."""


def signals(config: Config, prepared: Prepared) -> Signals:
    """Hold the log as it is now against the one the champion learnt from.

    An event is new when the champion's log has none of this user with this item: what it has learnt already is not
    worth a retraining, whatever the clock says. Nothing is scored where nothing is new, or too little.
    """
    version = champion(config)
    if version is None:
        return Signals(champion=None)
    bundle = Bundle.load(registry.download(version))
    old, new = bundle.data, as_known(prepared.split, bundle.data).data
    is_new = ~_known(old, new)
    found = Signals(
        champion=version.number,
        learnt_events=len(old.interactions),
        new_events=int(is_new.sum()),
        age_days=(datetime.now(UTC) - version.created).total_seconds() / DAY,
        stale=version.tags.get(STALE, ""),
        drift=_drift(bundle, new, is_new, config.seed) if is_new.sum() >= config.retrain.min_events else None,
    )
    log.info("retrain: %s events are new to champion v%d", f"{found.new_events:,}", version.number)
    return found


def champion(config: Config) -> Version | None:
    """The version that answers; none where there is none."""
    return registry.find(config.model_name, registry.champion(config.model_name))


def warmed(config: Config, version: Version, prepared: Prepared) -> Config:
    """The configuration with each search starting from what a version's member was tuned to.

    What the configuration sets itself stays; a candidate that is no member of the version starts where it always does,
    and so does one that would need too much memory there, now that the log has grown.
    """
    tuned = dict(_tuned(Bundle.load(registry.download(version)).evaluated))
    params = {}
    for name in config.models.candidates:
        own = config.models.params.get(name, {})
        warm = {**tuned.get(name, {}), **own}
        params[name] = warm if fits_memory(name, warm, config, prepared) else own
    models = ModelsSection.model_validate({**config.models.model_dump(), "params": params})
    return config.model_copy(update={"models": models})


def _tuned(model: Recommender) -> list[tuple[str, dict[str, bool | int | float | str]]]:
    """Parameters that a search varies, of every candidate in a hybrid."""
    if isinstance(model, Combination):
        return [found for member in model.members.values() for found in _tuned(member)]
    candidate = TABLE[model.name]
    varied = {*candidate.SPACE, *candidate.SCORING}
    config = model.config  # type: ignore[attr-defined]  # a candidate has one
    return [(model.name, config.model_dump(include=varied))]


def _known(old: Dataset, new: Dataset) -> BoolArray:
    """Which events [N] of the new log have their user and item in a pair of the old one."""
    events = new.interactions
    user, item = old.users.rows(new.users.values)[events.user], old.items.rows(new.items.values)[events.item]
    known: BoolArray = (
        np.isin(user * len(old.items) + item, old.interactions.pairs) & (user != UNKNOWN) & (item != UNKNOWN)
    )
    return known


def _drift(bundle: Bundle, new: Dataset, is_new: BoolArray, seed: int) -> Drift:
    events = new.interactions
    known, fresh = events.where(~is_new), events.where(is_new)
    users = Holdout(known, fresh).sample(MOST_USERS, seed)
    in_catalogue = bundle.data.items.rows(new.items.values) != UNKNOWN  # [n] it could show these
    judged = Holdout(known, fresh.where(in_catalogue[fresh.item])).sample(MOST_USERS, seed)
    others = np.flatnonzero((known.lengths > 0) & (fresh.lengths == 0))
    if len(others) > MOST_USERS:
        others = np.sort(np.random.default_rng(seed).choice(others, MOST_USERS, replace=False))
    scorer = Rebased(bundle.serving, bundle.data, new)
    shift = popularity_shift(_counts(known.item, new), _counts(fresh.item, new), seed).excess if len(known) else 1.0
    return Drift(
        popularity_shift=shift,
        unknown_users=_without_events(known.lengths, fresh.user),
        unknown_items=_without_events(_counts(known.item, new), fresh.item),
        score_shift=score_shift(_best(scorer, known.select(others)), _best(scorer, users.history)),
        ndcg=evaluate(scorer, judged, known, seed=seed).aggregate[METRIC] if len(judged) else None,
        tested_ndcg=bundle.manifest.metrics.get(METRIC, 0.0),
    )


def _counts(items: RowArray, data: Dataset) -> IntArray:
    return np.bincount(items, minlength=len(data.items))


def _without_events(counts: IntArray, rows: RowArray) -> float:
    """Share of rows, one an event, of those that had none before."""
    return float((counts[rows] == 0).mean()) if len(rows) else 0.0


def _best(scorer: Rebased, history: Interactions) -> FloatArray:
    """[B] the best score of each user who has a history, among items not met."""
    met = history.select(np.flatnonzero(history.lengths))
    scores = recommend(scorer, met, 1)[1][:, 0]
    return scores[np.isfinite(scores)]
