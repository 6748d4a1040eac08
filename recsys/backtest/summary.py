"""What a replay came to: the three policies period by period and in all, with intervals, decisions and costs."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.backtest.outcome import POLICIES, Outcome, outcome_of, worth_of
from recsys.backtest.setting import Setting
from recsys.config import PromotionSection, Section
from recsys.errors import InputError
from recsys.metrics.intervals import bootstrap_mean, paired_bootstrap
from recsys.metrics.ranking import PerUser

OTHERS = POLICIES[:-1]
"""What the loop is held against."""


class Estimate(Section):
    """A mean over users, and its interval."""

    mean: float
    lo: float | None
    """None, as `hi`, for the gain on a single user."""
    hi: float | None


class PeriodSummary(Section):
    """A period that was served."""

    outcome: Outcome
    visits: int
    users: int
    ndcg: dict[str, Estimate]
    """policy -> ndcg@10, a user counting once however often they came; empty where nobody took anything new."""


class Stretch(Section):
    """Several periods together."""

    periods: int
    users: int
    ndcg: dict[str, Estimate]
    gain: dict[str, Estimate]
    """frozen, overwrite -> ndcg@10 of the loop less that of the other, paired by user."""


class Summary(Section):
    """A whole replay."""

    name: str
    first: Outcome
    """The training of the first model."""
    periods: tuple[PeriodSummary, ...]
    whole: Stretch
    late: Stretch
    """The second half of the periods in which somebody took anything new."""
    retrained: int
    promoted: int
    refused: int
    train_seconds: dict[str, float]
    """policy -> seconds spent training after the first model."""


def summarize(setting: Setting) -> Summary:
    """Read what all periods came to.

    Raises:
        InputError: nobody took anything new.
        RuntimeError: a period is not done.
    """
    outcomes = [outcome_of(setting, number) for number in range(len(setting.periods) + 1)]
    done = [one for one in outcomes if one is not None]
    if len(done) < len(outcomes):
        raise RuntimeError(f"{len(done)} of {len(outcomes)} periods are done")
    config, served = setting.config.promotion, done[1:]
    worth = [_by_user(worth_of(setting, one.number)) for one in served]
    visited = [found for found in worth if len(found)]
    if not visited:
        raise InputError(
            f"in no period of {setting.config.name} did anybody take anything new: there is nothing to compare"
        )
    judged = [one for one in served if one.decision.retrain]
    return Summary(
        name=setting.config.name,
        first=done[0],
        periods=tuple(
            PeriodSummary(
                outcome=one,
                visits=int(found["visits"].sum()),
                users=len(found),
                ndcg={policy: _mean(found[policy].to_numpy(), config) for policy in POLICIES} if len(found) else {},
            )
            for one, found in zip(served, worth, strict=True)
        ),
        whole=_stretch(visited, config),
        late=_stretch(visited[len(visited) // 2 :], config),
        retrained=len(judged),
        promoted=sum(one.promoted for one in judged),
        refused=sum(not one.promoted for one in judged),
        train_seconds={
            "frozen": 0.0,
            "overwrite": sum(one.train_seconds for one in served),
            "loop": sum(one.train_seconds for one in judged),
        },
    )


def _by_user(worth: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row a user: ndcg@10 of every policy, the mean over their visits, and how many these were."""
    visits = pd.DataFrame({policy: worth.get(policy, []) for policy in POLICIES}).assign(user=worth["users"], visits=1)
    return visits.groupby("user").agg({**dict.fromkeys(POLICIES, "mean"), "visits": "sum"})


def _stretch(worth: Sequence[pd.DataFrame], config: PromotionSection) -> Stretch:
    """A user who came in several periods counts once, with the mean over all their visits."""
    together = pd.concat(worth)
    weighted = together[list(POLICIES)].mul(together["visits"], axis=0).assign(visits=together["visits"])
    totals = weighted.groupby(level=0).sum()
    users = totals[list(POLICIES)].div(totals["visits"], axis=0)
    values = {policy: users[policy].to_numpy() for policy in POLICIES}
    gain = {other: _gain(values["loop"], values[other], config) for other in OTHERS}
    ndcg = {policy: _mean(found, config) for policy, found in values.items()}
    return Stretch(periods=len(worth), users=len(users), ndcg=ndcg, gain=gain)


def _mean(values: PerUser, config: PromotionSection) -> Estimate:
    lo, hi = bootstrap_mean(values, confidence=config.confidence, resamples=config.bootstrap)
    return Estimate(mean=float(values.mean()), lo=lo, hi=hi)


def _gain(loop: PerUser, other: PerUser, config: PromotionSection) -> Estimate:
    gain = paired_bootstrap(loop, other, confidence=config.confidence, resamples=config.bootstrap)
    lo, hi = (bound if math.isfinite(bound) else None for bound in (gain.lo, gain.hi))
    return Estimate(mean=gain.mean, lo=lo, hi=hi)
