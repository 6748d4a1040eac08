"""Named data sets: cache, order of origins, damage, and what is said when nothing answers."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from recsys.config import DataSection
from recsys.data import movielens, sources
from recsys.data.movielens import GroupLensArchive, OriginError, Tables
from recsys.data.readers import read_events, read_table
from recsys.errors import InputError

EVENTS = pd.DataFrame({"user_id": [1, 2], "item_id": [7, 7], "rating": ["3", "4"], "timestamp": [10, 20]})


@dataclass
class Shelf:
    """An origin that answers, and counts how often it was asked."""

    name: str = "the shelf"
    asked: int = 0

    def tables(self) -> Tables:
        self.asked += 1
        return Tables(EVENTS, pd.DataFrame({"user_id": [1, 2]}), pd.DataFrame({"item_id": [7], "title": ["Seven"]}))


@dataclass
class Closed:
    name: str = "the closed door"

    def tables(self) -> Tables:
        raise OriginError("nobody is in")


def test_the_first_origin_that_answers_is_used_and_then_the_cache(tmp_path: Path) -> None:
    shelf = Shelf()
    first = sources.fetch("movielens-100k", tmp_path, [Closed(), shelf])
    again = sources.fetch("movielens-100k", tmp_path, [Closed()])
    assert (first.from_cache, first.origin) == (False, "the shelf")
    assert (again.from_cache, again.origin) == (True, "the shelf")
    assert first.events == again.events == tmp_path / "data" / "movielens-100k" / "events.csv"
    assert shelf.asked == 1


def test_a_damaged_cache_is_fetched_again(tmp_path: Path) -> None:
    shelf = Shelf()
    found = sources.fetch("movielens-100k", tmp_path, [shelf])
    good = found.events.read_text()
    found.events.write_text(good.replace("20", "99"))
    assert not sources.fetch("movielens-100k", tmp_path, [shelf]).from_cache
    assert found.events.read_text() == good


def test_offline_without_a_cache_names_all_that_was_tried(tmp_path: Path) -> None:
    nowhere = GroupLensArchive(url="http://127.0.0.1:9/ml-100k.zip")
    with pytest.raises(InputError) as error:
        sources.fetch("movielens-100k", tmp_path, [nowhere, Closed()])
    first, cache, archive, mirror, advice = str(error.value).splitlines()
    assert first == "movielens-100k cannot be fetched; tried:"
    assert cache == f"  local cache: nothing in {tmp_path}/data/movielens-100k"
    assert archive.startswith("  the official GroupLens archive: http://127.0.0.1:9/ml-100k.zip cannot be reached: ")
    assert mirror == "  the closed door: nobody is in"
    assert advice == (
        f"Fetch it on a machine with a network (recsys data fetch movielens-100k) and copy "
        f"{tmp_path}/data/movielens-100k here, or use a data set that needs none: "
        '[data] source = "synthetic"'
    )
    assert not (tmp_path / "data" / "movielens-100k").exists()


def test_the_origins_are_asked_in_the_order_of_the_documentation() -> None:
    assert [type(origin).__name__ for origin in movielens.ORIGINS] == ["GroupLensArchive", "RecBoleWheel"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("movielens", "no data set is called 'movielens': did you mean 'movielens-100k'"),
        ("movielens-100k?users=5", r"movielens-100k has no sizes to set; seen 'users=5'"),
        ("synthetic?usr=5", r"unknown size 'usr': did you mean 'users'"),
        ("synthetic?users=many", r"users: Input should be a valid integer.*\(seen: 'many'\)"),
        ("synthetic?users=", r"users: Input should be a valid integer.*\(seen: ''\)"),
        ("synthetic?items=0", r"items: Input should be greater than or equal to 2 \(seen: '0'\)"),
        ("synthetic?items=9", "9 items are too few for 8 communities of 2 or more"),
    ],
)
def test_wrong_names_and_sizes(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sources.fetch(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_resolve_puts_paths_in_place_of_the_name(tmp_path: Path) -> None:
    data = sources.resolve(DataSection(source="synthetic?users=20&items=16&events=300", k_core=3), tmp_path)
    assert (data.source, data.k_core) == (None, 3)
    assert len(read_events(data)) == 300
    assert len(read_table(data.items, "item_id", data)) == 16


def test_resolve_keeps_tables_of_your_own(tmp_path: Path) -> None:
    given = DataSection(source="synthetic?users=20&items=16&events=300", users="mine.csv")
    assert sources.resolve(given, tmp_path).users == "mine.csv"


def test_resolve_leaves_a_path_alone(tmp_path: Path) -> None:
    given = DataSection(path="events.csv")
    assert sources.resolve(given, tmp_path) is given
