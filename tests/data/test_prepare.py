"""Preprocessing of small logs: what is dropped and why, k-core, weights, maps, features; two layouts from file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import Config, parse
from recsys.data.prepare import event_weights, k_core, prepare
from recsys.data.prepared import Prepared
from recsys.data.readers import read_events, read_table
from recsys.errors import InputError


def config(split: str = "leave_last", **data: object) -> Config:
    return parse({"name": "small", "data": {"path": "events.csv", **data}, "split": {"method": split}})


def frame(rows: list[tuple], *more: str) -> pd.DataFrame:
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", *more])
    return events.astype({"timestamp": "Int64"})


ROWS = [("ann", "a", 1), ("ann", "b", 2), ("ann", "c", 3), ("bob", "b", 1), ("bob", "c", 2), ("bob", "d", 3)]


def dropped(made: Prepared) -> dict[str, int]:
    return {reason: count for reason, count in made.summary["dropped"].items() if count}


def test_summary_of_a_small_log() -> None:
    made = prepare(frame(ROWS), None, None, config(), digest="d1")
    leakage = made.summary.pop("split")
    assert made.summary == {
        **{"name": "small", "digest": "d1", "users": 2, "items": 4, "interactions": 6, "density": 6 / 8},
        **{"first": "1970-01-01T00:00:01+00:00", "last": "1970-01-01T00:00:03+00:00", "events_read": 6},
        "dropped": dict.fromkeys(made.summary["dropped"], 0),
        **{"user_features": 0, "item_features": 0, "skipped_attributes": {"users": {}, "items": {}}},
    }
    assert [leakage[name] for name in ("leakage_check", "train", "validation", "test")] == ["passed", 2, 2, 2]


def test_what_is_dropped_is_counted_by_its_first_reason() -> None:
    rows = [(*row, 5.0, "buy") for row in ROWS]
    rows += [
        ("ann", "a", 1, 5.0, "buy"),  # says what an earlier row says
        ("ann", "a", 9, 5.0, "buy"),  # a pair met again
        ("ann", "d", 1, 5.0, "look"),  # of a type that weighs nothing
        ("ann", "d", 1, 1.0, "buy"),  # rated too low
        (None, "d", 1, 5.0, "buy"),
        ("ann", "d", None, 5.0, "buy"),
        ("once", "d", 4, 5.0, "buy"),  # of a user with a single event, which then leaves d with one
    ]
    given = config(min_rating=3, event_weights={"buy": 2, "look": 0}, k_core=2)
    made = prepare(frame(rows, "rating", "event_type"), None, None, given)
    assert dropped(made) == {
        **{"incomplete": 2, "duplicate": 1, "weight 0": 1, "below min_rating": 1},
        **{"k_core": 2, "repeated pair": 1},
    }
    assert made.split.data.users.values.tolist() == ["ann", "bob"]
    assert made.split.data.items.values.tolist() == ["a", "b", "c"]
    assert set(made.split.data.interactions.weight.tolist()) == {2.0}


def test_a_complete_event_repeats_no_incomplete_one() -> None:
    """Ann is user 0, bob user 1, and d the last item: it must not be next to what bob has not named."""
    incomplete = [("ann", "a", None), ("bob", None, 5)]
    rows = [*incomplete, *ROWS, ("ann", "a", -1), ("ann", "d", 5)]
    assert dropped(prepare(frame(rows), None, None, config())) == {"incomplete": 2, "repeated pair": 1}


def test_unrated_events_stay() -> None:
    rows = [(*row, None) for row in ROWS]
    assert dropped(prepare(frame(rows, "rating"), None, None, config(min_rating=3))) == {}


def test_the_catalogue_gives_every_item_a_row_and_comes_first() -> None:
    catalogue = pd.DataFrame({"item_id": ["cold", "b", "a", "new"], "kind": ["x", "y", "x", "x"]})
    data = prepare(frame(ROWS), None, catalogue, config()).split.data
    assert data.items.values.tolist() == ["cold", "b", "a", "new", "c", "d"]
    assert data.item_feature_names == ("kind=x",)
    assert data.item_features is not None
    assert data.item_features.toarray().ravel().tolist() == [1, 0, 1, 1, 0, 0]


def test_features_of_users_travel_with_their_histories() -> None:
    table = pd.DataFrame({"user_id": ["bob", "nobody", "ann", "eve"], "plan": ["pro", "pro", "free", "free"]})
    made = prepare(frame(ROWS), table, None, config()).split
    assert made.data.users.values.tolist() == ["ann", "bob"]
    assert made.data.user_feature_names == ("plan=free", "plan=pro")
    for history in (made.train, made.test.history, made.validation.truth):
        assert history.features is not None
        assert history.features.toarray().tolist() == [[1, 0], [0, 1]]


def test_ids_of_integers_find_a_table_of_text() -> None:
    rows = [(user, item, time) for user in (1, 2) for item, time in ((10, 1), (20, 2), (30, 3))]
    table = pd.DataFrame({"item_id": ["10", "20", "x-1"], "kind": ["k", "k", "k"]})
    data = prepare(frame(rows), None, table, config()).split.data
    assert data.items.values.tolist() == ["10", "20", "x-1", "30"]
    assert data.interactions.item.tolist() == [0, 1, 3, 0, 1, 3]


@pytest.mark.parametrize(
    ("rows", "columns", "data", "message"),
    [
        (ROWS, (), {"min_rating": 3}, "min_rating is set, but the log has no column 'rating'"),
        (ROWS, (), {"event_weights": {"buy": 1}}, "event_weights is set, but the log has no column 'event_type'"),
        (ROWS, (), {"k_core": 4}, "none of 6 events is left: dropped 6 for k_core; see data.k_core"),
        (
            [(*row, kind) for row, kind in zip(ROWS, ["buy", "buy", "look", "look", None, "buy"], strict=True)],
            ("event_type",),
            {"event_weights": {"buy": 1, "sell": 2}},
            r"event types without a weight: look \(2 events\), \(none\) \(1 events\); weights given: buy, sell\..*"
            r"\(none\) is no type",
        ),
    ],
)
def test_input_that_does_not_fit_the_configuration(rows: list, columns: tuple, data: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(frame(rows, *columns), None, None, config(**data))


def test_a_missing_column() -> None:
    with pytest.raises(InputError, match="the log has no item_id and no timestamp; columns seen: user_id"):
        prepare(frame(ROWS)[["user_id"]], None, None, config())


def test_events_of_a_log_without_types_may_be_given_a_weight() -> None:
    made = prepare(frame(ROWS), None, None, config(event_weights={"(none)": 3, "buy": 5}))
    assert made.split.data.interactions.weight.tolist() == [3] * 6


def test_who_was_forgotten_counts_as_read_and_dropped() -> None:
    made = prepare(frame(ROWS), None, None, config(), forgotten=2)
    assert (made.summary["events_read"], dropped(made)) == (8, {"forgotten": 2})


def test_without_weights_every_event_weighs_one() -> None:
    events = frame([(*row, "any") for row in ROWS], "event_type")
    assert event_weights(events, config().data).tolist() == [1] * 6


PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60)


@given(pairs=PAIRS, k=st.integers(1, 4))
def test_k_core_is_the_largest_set_in_which_all_have_k(pairs: list[tuple[int, int]], k: int) -> None:
    left = list(pairs)
    while True:  # one event at a time, as slowly as it gets
        users, items = [user for user, _ in left], [item for _, item in left]
        poor = [pair for pair in left if users.count(pair[0]) < k or items.count(pair[1]) < k]
        if not poor:
            break
        left.remove(poor[0])
    events = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    keep = k_core(events[:, 0], events[:, 1], k)
    assert [pair for pair, kept in zip(pairs, keep, strict=True) if kept] == left


def test_ratings_in_the_layout_of_movielens_latest(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{u},{m},{rng.integers(1, 11) / 2},{rng.integers(8e8, 9e8)}" for u in range(1, 30) for m in range(50, 70)]
    (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]))
    films = [f"{movie},Film {movie} (2001),Comedy|{'Drama' if movie % 2 else 'War'}" for movie in range(50, 75)]
    (tmp_path / "movies.csv").write_text("\n".join(["movieId,title,genres", *films]))
    given = config(
        "time",
        path=str(tmp_path / "ratings.csv"),
        columns={"user_id": "userId", "item_id": "movieId"},
        min_rating=4,
    )
    items = read_table(tmp_path / "movies.csv", "item_id", given.data)
    made = prepare(read_events(given.data), None, items, given)
    assert made.summary["items"] == 25
    assert made.split.data.item_feature_names == ("genres=Comedy", "genres=Drama", "genres=War")
    rated = pd.read_csv(tmp_path / "ratings.csv")
    assert made.summary["interactions"] == (rated["rating"] >= 4).sum()


def test_event_types_without_ratings(tmp_path: Path) -> None:
    lines = [
        f"u{u}\t2024-01-{d:02}T00:00:00Z\tp{(u + d) % 9}\t{'buy' if d % 3 else 'view'}"
        for u in range(9)
        for d in range(1, 9)
    ]
    (tmp_path / "log.tsv").write_text("\n".join(["who\twhen\tproduct\twhat", *lines]))
    columns = {"user_id": "who", "item_id": "product", "timestamp": "when", "event_type": "what"}
    given = config(path=str(tmp_path / "log.tsv"), columns=columns, event_weights={"view": 1, "buy": 4})
    made = prepare(read_events(given.data), None, None, given)
    assert made.summary["interactions"] == 72
    assert np.unique(made.split.data.interactions.weight, return_counts=True)[1].tolist() == [18, 54]
    assert made.summary["first"] == "2024-01-01T00:00:00+00:00"
