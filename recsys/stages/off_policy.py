"""Before the gate: what challenger and champion would have earned on the answers that were logged with propensities."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.config import Config
from recsys.data.dataset import Split
from recsys.data.interactions import Interactions
from recsys.data.schema import IntArray
from recsys.feedback.event import Event
from recsys.feedback.store import Shown, store_if_there
from recsys.metrics.off_policy import Comparison, Slots, compare
from recsys.metrics.recommend import Scorer, recommend
from recsys.serving.bundle import Bundle
from recsys.serving.judge import Rebased, as_known

log = logging.getLogger("recsys.promote")

LAST_POSITION = 100
"""Places further down an answer are left out."""


@dataclass(frozen=True, eq=False)
class Logged:
    """Places of answers, and the user who was answered."""

    slots: Slots
    user: IntArray
    """[N] row of the user in the split; -1 for somebody it does not know."""


def off_policy(
    config: Config, split: Split, challenger: Scorer, champion: Rebased, bundle: Bundle
) -> Comparison | None:
    """Compare on every logged place with a propensity that neither model can have learnt from.

    Both answer from the histories that the test starts with. Answers count from the beginning of the test window, and
    from after the last event that either model was fitted on, where that is later.

    Args:
        config: names the store and the weights of responses.
        split: whose test is judged.
        challenger: fitted on train and validation.
        champion: as it is judged.
        bundle: of the champion.

    Returns:
        The comparison; none where nothing was logged.
    """
    fitted = (split.for_test.interactions, _learnt(champion, bundle))
    since = max(int(split.test_events.time.min()), *(int(events.time.max()) + 1 for events in fitted))
    logged = logged_since(since, config, split)
    if logged is None:
        return None
    asked = ((challenger, split), (champion, as_known(split, bundle.data)))
    shown = [_would_show(model, logged, as_asked, config.seed) for model, as_asked in asked]
    log.info("promote: %s logged places with propensities are evidence", f"{len(logged.slots):,}")
    return compare(
        logged.slots,
        *shown,
        needed=config.promotion.min_effective_sample,
        confidence=config.promotion.confidence,
        resamples=config.promotion.bootstrap,
        seed=config.seed,
    )


def logged_since(since: int, config: Config, split: Split) -> Logged | None:
    """Places of the feedback store with position and propensity, shown at `since` (seconds) or later; none without any.

    The reward of a place is the largest weight among the responses to it: that of the type in `data.event_weights`,
    else 1; 0 without a response.
    """
    with store_if_there(config.store) as feedback:
        rows = [] if feedback is None else [_row(one, config) for one in feedback.shown(since) if _counts(one)]
    if not rows:
        return None
    found = pd.DataFrame(rows, columns=["request", "user", "item", "position", "propensity", "reward"])
    slots = Slots(
        request=pd.factorize(found["request"])[0].astype(np.int64),
        item=split.data.items.rows(found["item"]),
        position=found["position"].to_numpy(np.int64),
        propensity=found["propensity"].to_numpy(np.float64),
        reward=found["reward"].to_numpy(np.float64),
    )
    return Logged(slots, split.data.users.rows(found["user"]))


def _counts(shown: Shown) -> bool:
    event = shown.impression
    return event.position is not None and event.position <= LAST_POSITION and event.propensity is not None


def _row(shown: Shown, config: Config) -> tuple[Any, ...]:
    event = shown.impression
    reward = max((_reward(one, config) for one in shown.responses), default=0.0)
    return event.request_id, event.user_id, event.item_id, event.position, event.propensity, reward


def _reward(response: Event, config: Config) -> float:
    return config.data.event_weights.get(response.event_type, 1.0)


def _would_show(model: Scorer, logged: Logged, split: Split, seed: int) -> IntArray:
    """[N] the item that a model would show in each place, seen ones left out; -1 where it has none."""
    k = int(logged.slots.position.max())
    users, row = np.unique(logged.user, return_inverse=True)
    items, _ = recommend(model, histories(users, split), min(k, len(split.data.items)), seed=seed)
    places = np.full((len(users), k), -1, np.int64)
    places[:, : items.shape[1]] = items
    shown: IntArray = places[row, logged.slots.position - 1]
    return shown


def histories(users: IntArray, split: Split) -> Interactions:
    """What is known at the beginning of the test of these users; -1, somebody unknown, has an empty history."""
    known = split.for_test.interactions
    # A row more than there are users, for whoever is none.
    features = known.features
    if features is not None:
        features = sparse.csr_matrix(
            sparse.vstack([features, sparse.csr_matrix(np.zeros((1, features.shape[1]), np.float32))])
        )
    return replace(known, n_users=known.n_users + 1, features=features).select(
        np.where(users < 0, known.n_users, users)
    )


def _learnt(champion: Rebased, bundle: Bundle) -> Interactions:
    """The events that the model of the champion was fitted on."""
    whole = champion.model is bundle.serving and bundle.manifest.fitted_on == "all"
    return bundle.data.interactions if whole else bundle.data.interactions.where(bundle.in_evaluated)
