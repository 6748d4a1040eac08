"""A seeded log with a known answer: communities of users and items, and a next item that follows each item.

An item belongs to one community and has a rank in it; rank decides how often it is met (a Zipf tail). A user
belongs to one community. Each event of a user either follows the one before (with probability FOLLOW: the item one
rank further in the same community, in a circle) or is a fresh draw by popularity: from the user's own community
(with probability LOYAL), or from any.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
from pydantic import Field, ValidationError

from recsys.config import Section, digest
from recsys.data.schema import EVENT, ITEM, TIME, USER, BoolArray, IntArray
from recsys.errors import InputError, did_you_mean

FOLLOW = 0.5
LOYAL = 0.9
ZIPF = 0.8
"""Popularity of rank r is (r + 1) ** -ZIPF."""
START = 1_672_531_200
"""2023-01-01 UTC, seconds: users arrive from here on, for a year."""
YEAR = 365 * 86_400
EVENT_SHARES = {"view": 0.7, "cart": 0.2, "purchase": 0.1}
KNOWN_ANSWER = "known_answer.npz"


class Sizes(Section):
    """How much to generate."""

    users: int = Field(default=1000, ge=2)
    items: int = Field(default=500, ge=2)
    events: int = Field(default=20_000, ge=1)
    communities: int = Field(default=8, ge=1)
    seed: int = Field(default=0, ge=0)

    @property
    def folder_name(self) -> str:
        """A name that tells these sizes from others."""
        return f"synthetic-{digest(self)}"


def parse_sizes(given: Mapping[str, str]) -> Sizes:
    """Turn the `key=value` parts of `synthetic?users=1000&…` into sizes.

    Raises:
        InputError: an unknown key, or a value that is no whole number in its bounds.
    """
    for key in given:
        if key not in Sizes.model_fields:
            raise InputError(f"synthetic: unknown size {key!r}: {did_you_mean(key, Sizes.model_fields)}")
    try:
        sizes = Sizes.model_validate(given)
    except ValidationError as error:
        findings = [f"{one['loc'][0]}: {one['msg']} (seen: {one['input']!r})" for one in error.errors()]
        raise InputError("synthetic: " + "; ".join(findings)) from error
    if sizes.items < 2 * sizes.communities:
        raise InputError(f"synthetic: {sizes.items} items are too few for {sizes.communities} communities of 2 or more")
    return sizes


def write(sizes: Sizes, folder: Path) -> None:
    """Write events.csv, users.csv, items.csv and known_answer.npz into a folder.

    The answer holds `user_community` [users], `item_community` [items] and `next_item` [items], all int64;
    ids are positions in these arrays.
    """
    rng = np.random.default_rng(sizes.seed)
    # community c holds the items circle[c::communities]; where they stand there is their rank.
    circle = rng.permutation(sizes.items)
    place = np.empty(sizes.items, np.int64)
    place[circle] = np.arange(sizes.items)
    item_community = place % sizes.communities
    user_community = rng.integers(0, sizes.communities, sizes.users)
    per_community = np.bincount(item_community)
    following = _further(place, np.ones(sizes.items, np.int64), sizes.communities, per_community)
    np.savez(
        folder / KNOWN_ANSWER,
        user_community=user_community,
        item_community=item_community,
        next_item=circle[following],
    )

    activity = rng.lognormal(sigma=0.8, size=sizes.users)  # a few users are very active
    user = np.repeat(np.arange(sizes.users), rng.multinomial(sizes.events, activity / activity.sum()))
    fresh, steps = _walk(user, rng)
    drawn = _draw(user_community[user[fresh]], per_community, rng)
    begin = drawn[np.cumsum(fresh) - 1]
    events = {USER: user, ITEM: circle[_further(begin, steps, sizes.communities, per_community)]}
    events[TIME] = _times(user, sizes.users, rng)
    order = np.argsort(events[TIME], kind="stable")
    table = pa.table({name: values[order] for name, values in events.items()})
    kinds = rng.choice(len(EVENT_SHARES), len(user), p=list(EVENT_SHARES.values())).astype(np.int8)
    table = table.append_column(EVENT, pa.DictionaryArray.from_arrays(kinds, list(EVENT_SHARES)).cast(pa.string()))
    pacsv.write_csv(table, folder / "events.csv")
    _attributes(user_community, item_community, sizes, rng, folder)


def _walk(user: IntArray, rng: np.random.Generator) -> tuple[BoolArray, IntArray]:
    """Which events are fresh draws [N] bool, and how many steps each is from the last fresh one [N] int64."""
    fresh = rng.random(len(user)) >= FOLLOW
    fresh[np.flatnonzero(np.diff(user, prepend=-1))] = True
    position = np.arange(len(user))
    return fresh, position - np.maximum.accumulate(np.where(fresh, position, 0))


def _draw(community: IntArray, per_community: IntArray, rng: np.random.Generator) -> IntArray:
    """Places of fresh items: by popularity, mostly from the community given [n]."""
    n_communities = len(per_community)
    stray = rng.random(len(community)) >= LOYAL
    community = np.where(stray, rng.integers(0, n_communities, len(community)), community)
    # Communities differ in size by one at most: draw a rank from the largest, and wrap.
    mass = np.cumsum((np.arange(per_community.max()) + 1.0) ** -ZIPF)
    rank = np.searchsorted(mass, rng.random(len(community)) * mass[-1]).clip(max=len(mass) - 1)
    place: IntArray = rank % per_community[community] * n_communities + community
    return place


def _further(place: IntArray, steps: IntArray, n_communities: int, per_community: IntArray) -> IntArray:
    """Places so many ranks further in the circle of the same community."""
    community = place % n_communities
    rank = (place // n_communities + steps) % per_community[community]
    further: IntArray = rank * n_communities + community
    return further


def _times(user: IntArray, users: int, rng: np.random.Generator) -> IntArray:
    """[N] seconds, rising within a user: arrival in the first three quarters of the year, then until its end."""
    arrival = rng.uniform(0, 0.75, users)
    # Sorting user + fraction sorts each user's fractions, in one pass over one array.
    fraction = np.sort(user + rng.random(len(user))) - user
    return (START + YEAR * (arrival[user] + fraction * (1 - arrival[user]))).astype(np.int64)


def _attributes(
    user_community: IntArray, item_community: IntArray, sizes: Sizes, rng: np.random.Generator, folder: Path
) -> None:
    """Users and items whose attributes tell the community, nine times out of ten."""

    def told(community: IntArray) -> IntArray:
        return np.where(rng.random(len(community)) < 0.9, community, rng.integers(0, sizes.communities, len(community)))

    users = {
        USER: np.arange(sizes.users),
        "segment": [f"segment-{number}" for number in told(user_community)],
        "age": rng.integers(18, 80, sizes.users),
    }
    other = rng.integers(0, 20, sizes.items)
    items = {
        ITEM: np.arange(sizes.items),
        "category": [f"category-{number}" for number in told(item_community)],
        "tags": [f"tag-{a}|extra-{b}" for a, b in zip(told(item_community), other, strict=True)],
        "price": rng.lognormal(3, 0.7, sizes.items).round(2),
    }
    pd.DataFrame(users).to_csv(folder / "users.csv", index=False, lineterminator="\n")
    pd.DataFrame(items).to_csv(folder / "items.csv", index=False, lineterminator="\n")
