"""The generator: the answer it writes is the answer that is in the log."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.data import synthetic
from recsys.data.synthetic import Sizes

SIZES = Sizes(users=300, items=101, events=12_000, communities=4, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    synthetic.write(SIZES, folder)
    return folder


@pytest.fixture(scope="module")
def events(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "events.csv")


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / synthetic.KNOWN_ANSWER) as arrays:
        return dict(arrays)


def test_sizes(events: pd.DataFrame, folder: Path) -> None:
    assert len(events) == SIZES.events
    assert events["item_id"].between(0, SIZES.items - 1).all()
    assert pd.read_csv(folder / "users.csv")["user_id"].tolist() == list(range(SIZES.users))
    assert pd.read_csv(folder / "items.csv")["item_id"].tolist() == list(range(SIZES.items))


def test_the_next_item_is_in_the_same_community_and_follows_only_one(answer: dict[str, np.ndarray]) -> None:
    following, community = answer["next_item"], answer["item_community"]
    assert sorted(following) == list(range(SIZES.items))
    assert (community[following] == community).all()
    assert (following != np.arange(SIZES.items)).all()


def test_half_of_the_events_follow_the_one_before(events: pd.DataFrame, answer: dict[str, np.ndarray]) -> None:
    history = events.sort_values(["user_id", "timestamp"], kind="stable")
    item, user = history["item_id"].to_numpy(), history["user_id"].to_numpy()
    same = user[1:] == user[:-1]
    follows = (answer["next_item"][item[:-1]] == item[1:])[same].mean()
    # A fresh draw hits the next item by chance now and then, so a little more than FOLLOW.
    assert synthetic.FOLLOW - 0.02 < follows < synthetic.FOLLOW + 0.06


def test_users_stay_in_their_community(events: pd.DataFrame, answer: dict[str, np.ndarray]) -> None:
    at_home = answer["user_community"][events["user_id"]] == answer["item_community"][events["item_id"]]
    # LOYAL draws, and a quarter of the stray ones come home by chance.
    assert at_home.mean() == pytest.approx(synthetic.LOYAL + (1 - synthetic.LOYAL) / 4, abs=0.02)


def test_popularity_has_a_long_tail(events: pd.DataFrame) -> None:
    counts = events["item_id"].value_counts().to_numpy()
    assert counts[: SIZES.items // 5].sum() > 0.4 * SIZES.events


def test_times_rise_and_lie_in_one_year(events: pd.DataFrame) -> None:
    assert events["timestamp"].is_monotonic_increasing
    assert events["timestamp"].between(synthetic.START, synthetic.START + synthetic.YEAR).all()


def test_event_types_have_their_shares(events: pd.DataFrame) -> None:
    shares = events["event_type"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(synthetic.EVENT_SHARES, abs=0.02)


def test_attributes_tell_the_community(folder: Path, answer: dict[str, np.ndarray]) -> None:
    told = pd.read_csv(folder / "items.csv")["category"].str.removeprefix("category-").astype("int64")
    assert 0.8 < (told.to_numpy() == answer["item_community"]).mean() < 1


def test_one_seed_one_log(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    synthetic.write(SIZES, tmp_path)
    synthetic.write(SIZES.model_copy(update={"seed": 4}), tmp_path / "other")
    for name in ("events.csv", "users.csv", "items.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_other_sizes_another_folder() -> None:
    assert SIZES.folder_name != Sizes(users=301, items=101, events=12_000, communities=4, seed=3).folder_name
