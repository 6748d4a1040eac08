"""One period of serving: every visit answered by each policy's model, and what came of it as feedback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys.backtest.replay import Period, Visits
from recsys.data.idmap import UNKNOWN, IdMap
from recsys.data.interactions import Interactions
from recsys.data.prepare import UNTYPED
from recsys.data.schema import EVENT, ITEM, RATING, TIME, USER
from recsys.feedback.event import IMPRESSION, Event
from recsys.metrics.ranking import PerUser, ndcg, relevance
from recsys.serving.bundle import Bundle
from recsys.serving.recommender import Engine

K = 10
QUESTION = "question"
"""Column: place of the visit that a recommendation answers."""


def answers(bundle: Path, visits: Visits) -> pd.DataFrame:
    """The ten best items for each visit by the model that serves in a bundle: `Engine.recommend`, and `question`."""
    engine = Engine(Bundle.load(bundle))
    found = engine.recommend(visits.users, visits.histories, k=K)
    # Who has met nearly all that the model knows gets a short answer, or none.
    catalogue = engine.bundle.data.items
    met = catalogue.rows([item for history in visits.histories for item in history]) != UNKNOWN
    asker = np.repeat(np.arange(len(visits)), np.array([len(history) for history in visits.histories], np.int64))
    left = len(catalogue) - np.bincount(asker[met], minlength=len(visits))
    return found.assign(**{QUESTION: np.repeat(np.arange(len(visits)), np.minimum(left, K))})


def worth(answered: pd.DataFrame, visits: Visits, items: IdMap) -> PerUser:
    """ndcg@10 [V] of each visit; an item the model does not know counts as missed."""
    lists = np.full((len(visits), K), -1, dtype=np.int32)
    lists[answered[QUESTION], answered["rank"] - 1] = items.rows(answered[ITEM])
    truths = [items.rows(taken).tolist() for taken in visits.truths]
    return ndcg(*relevance(lists, Interactions.of_histories(truths, len(items))))


def feedback(
    period: Period, events: pd.DataFrame, visits: Visits, answered: pd.DataFrame, version: int
) -> Iterator[Event]:
    """What a service would have sent in: the champion's lists as impressions, the events of the period as responses.

    No propensities: the champion shows its best items with certainty, and where nothing else could have been shown,
    nothing is known of what it would have been worth. A response without a type in the log is called as the weights of
    events call it.
    """
    happened = period.of(events)
    visit_of = {
        (user, item): visit
        for visit, (user, taken) in enumerate(zip(visits.users, visits.truths, strict=True))
        for item in taken
    }
    begun = _starts(happened, visits)
    for visit, item, rank in zip(*(answered[name].tolist() for name in (QUESTION, ITEM, "rank")), strict=True):
        yield Event(
            event_id=f"shown-{period.number}-{visit}-{rank}",
            user_id=str(visits.users[visit]),
            item_id=str(item),
            event_type=IMPRESSION,
            timestamp=begun[visit],
            request_id=f"{period.number}-{visit}",
            model_version=str(version),
            position=rank,
        )
    columns: list[list[Any]] = [happened[name].tolist() for name in (USER, ITEM, TIME)]
    for name, absent in ((EVENT, UNTYPED), (RATING, None)):
        given = happened[name] if name in happened else pd.Series(None, happened.index, dtype=object)
        columns.append([absent if pd.isna(value) else value for value in given])
    for number, user, item, when, kind, rating in zip(happened.index, *columns, strict=True):
        answering = visit_of.get((user, item))
        yield Event(
            event_id=f"done-{number}",
            user_id=str(user),
            item_id=str(item),
            event_type=str(kind),
            timestamp=int(when),
            rating=rating,
            request_id=None if answering is None else f"{period.number}-{answering}",
        )


def _starts(events: pd.DataFrame, visits: Visits) -> list[int]:
    """Seconds at which each visit began to take something new."""
    first = events.groupby([USER, ITEM], sort=False)[TIME].min()
    return [int(first[user, taken[0]]) for user, taken in zip(visits.users, visits.truths, strict=True)]
