"""The engine: known users, strangers, histories, k, ids in any form; never an exception for who asks."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import InputError
from recsys.serving.recommender import Engine

EVEN, ODD = set(range(101, 113)), set(range(113, 125))


@pytest.fixture(scope="module")
def bundle(toy_bundle, tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("bundle") / "bundle")


@pytest.fixture(scope="module")
def engine(bundle):
    return Engine(bundle)


def seen_by(bundle, user):
    log = bundle.data.interactions
    return set(bundle.data.items.raw(log.item[log.user == bundle.data.users.rows([user])[0]]).tolist())


def test_a_known_user_gets_unseen_items_of_the_own_camp(engine, bundle):
    answer = engine.recommend([1], k=4)
    assert list(answer.columns) == ["user_id", "item_id", "score", "rank", "source"]
    assert answer["user_id"].tolist() == [1, 1, 1, 1]
    assert answer["rank"].tolist() == [1, 2, 3, 4]
    assert set(answer["source"]) == {"ease"}
    # The camp has twelve items, of which the user met eight.
    assert set(answer["item_id"]) == ODD - seen_by(bundle, 1)
    assert answer["score"].is_monotonic_decreasing
    assert np.isfinite(answer["score"]).all()


def test_an_unknown_user_gets_what_is_popular(engine, bundle):
    answer = engine.recommend(["nobody", 1, 999], k=3)
    assert answer["user_id"].tolist() == ["nobody"] * 3 + [1] * 3 + [999] * 3
    assert answer["source"].tolist() == ["popularity"] * 3 + ["ease"] * 3 + ["popularity"] * 3
    nobody, _, stranger = (answer["item_id"][start : start + 3].tolist() for start in (0, 3, 6))
    assert nobody == stranger
    popular = bundle.fallback.score(bundle.data.interactions.select([0]))[0]
    expected = popular[bundle.data.items.rows(nobody)]
    np.testing.assert_array_equal(expected, np.sort(popular)[::-1][:3])


def test_a_history_counts_instead_of_the_log(engine):
    answer = engine.recommend([1, 1, "guest"], histories=[None, [101, 102], [101, 102]], k=5)
    from_log, given, guest = (answer[start : start + 5] for start in (0, 5, 10))
    assert set(from_log["item_id"][:4]) <= ODD
    assert set(given["item_id"]) <= EVEN - {101, 102}
    assert given["item_id"].tolist() == guest["item_id"].tolist()
    assert set(answer["source"]) == {"ease"}


def test_histories_without_users(engine):
    answer = engine.recommend(histories=[[101, 102], [113]], k=2)
    assert answer["user_id"].tolist() == [None] * 4
    assert set(answer["item_id"][:2]) <= EVEN
    assert set(answer["item_id"][2:]) <= ODD


@pytest.mark.parametrize("history", [[], ["nothing", -5, 10**30, None, 1.5]])
def test_a_history_with_nothing_usable_is_answered_with_what_is_popular(engine, history):
    answer = engine.recommend([1], histories=[history], k=3)
    assert answer["source"].tolist() == ["popularity"] * 3
    assert answer["item_id"].tolist() == engine.recommend(["nobody"], k=3)["item_id"].tolist()


def test_unknown_and_repeated_items_of_a_history_change_nothing(engine):
    plain = engine.recommend(histories=[[101, 102]], k=5)
    mixed = engine.recommend(histories=[[101, "x", 101, 102, 999, 101]], k=5)
    pd.testing.assert_frame_equal(plain, mixed)


@pytest.mark.parametrize("user", [1, "1", 1.0, np.int64(1), np.float64(1)])
def test_ids_in_any_form(engine, user):
    assert engine.recommend([user], k=3)["item_id"].tolist() == engine.recommend([1], k=3)["item_id"].tolist()
    assert set(engine.recommend([user], k=3)["source"]) == {"ease"}


@pytest.mark.parametrize("user", [None, float("nan"), pd.NA, "", 2**70, -1, 1.5, True, "None", ("a", 1), b"1"])
def test_no_user_is_an_exception(engine, user):
    answer = engine.recommend([user], k=3)
    assert answer["source"].tolist() == ["popularity"] * 3


def test_text_ids(toy_split, toy_bundle, tmp_path):
    engine = Engine(toy_bundle(tmp_path / "bundle", toy_split(as_text=True)))
    answer = engine.recommend(["u1", "1", None], k=4)
    assert answer["source"].tolist() == ["ease"] * 4 + ["popularity"] * 8
    assert set(answer["item_id"][:4]) < {f"i{number}" for number in ODD}


def test_k_beyond_the_catalogue_gives_what_is_left(engine):
    assert len(engine.recommend([1], k=10**9)) == 24 - 8
    everything = engine.recommend([1], k=24, exclude_seen=False)
    assert sorted(everything["item_id"]) == list(range(101, 125))
    assert everything["rank"].tolist() == list(range(1, 25))


def test_somebody_who_has_seen_everything_gets_nothing(engine):
    answer = engine.recommend(["guest", 1], histories=[list(range(101, 125)), None], k=2)
    assert answer["user_id"].tolist() == [1, 1]


def test_seen_items_come_back_when_asked_for(engine, bundle):
    answer = engine.recommend([1], k=12, exclude_seen=False)
    assert set(answer["item_id"]) & seen_by(bundle, 1)


@pytest.mark.parametrize("k", [0, -1, 1.5, "5", None, True, float("nan")])
def test_k_that_is_no_number_of_items(engine, k):
    with pytest.raises(InputError, match="k must be a whole number of at least 1; seen"):
        engine.recommend([1], k=k)


def test_questions_that_make_no_sense(engine):
    with pytest.raises(InputError, match="nobody to recommend for: give users, histories, or both"):
        engine.recommend()
    with pytest.raises(InputError, match="2 users and 1 histories: give each user one, None where the log counts"):
        engine.recommend([1, 2], histories=[[101]])
    with pytest.raises(InputError, match="a history is a list of item ids, oldest first; seen '101,102'"):
        engine.recommend(histories=["101,102"])


def test_nobody_at_all_is_an_empty_table(engine):
    for answer in (engine.recommend([]), engine.recommend(histories=[])):
        assert list(answer.columns) == ["user_id", "item_id", "score", "rank", "source"]
        assert answer.empty


def test_users_keep_their_type(engine):
    assert engine.recommend([1, 2], k=2)["user_id"].dtype == np.int64
    assert engine.recommend([1, "x"], k=2)["user_id"].tolist() == [1, 1, "x", "x"]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 70), st.text(max_size=3)),
            st.one_of(st.none(), st.lists(st.integers(99, 126), max_size=5)),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 30),
)
def test_an_answer_never_depends_on_who_else_asks_nor_on_memory(bundle, questions, k):
    users, histories = (list(part) for part in zip(*questions, strict=True))
    together = Engine(bundle).recommend(users, histories, k)
    blockwise = Engine(bundle, block_bytes=1).recommend(users, histories, k)
    pd.testing.assert_frame_equal(together, blockwise, rtol=1e-5)
    alone = pd.concat([Engine(bundle).recommend([user], [own], k) for user, own in questions], ignore_index=True)
    assert together[["item_id", "rank", "source"]].equals(alone[["item_id", "rank", "source"]])
    for _, answer in together.groupby((together["rank"] == 1).cumsum()):
        assert answer["item_id"].is_unique
        assert answer["rank"].tolist() == list(range(1, len(answer) + 1))


def test_features_of_a_user_travel_with_the_history(bundle, monkeypatch):
    seen = []

    class Spy:
        def score(self, history):
            seen.append(history)
            return np.zeros((history.n_users, history.n_items), np.float32)

    monkeypatch.setitem(bundle.__dict__, "serving", Spy())
    Engine(bundle).recommend([1, "x", 2, 2], histories=[None, [101], None, [102]], k=1)
    (history,) = seen
    # camp=0, camp=1: users 1 and 2 have their camp, with or without a history of their own; a stranger has none.
    assert history.features.toarray().tolist() == [[0, 1], [0, 0], [1, 0], [1, 0]]
    assert history.lengths.tolist() == [8, 1, 8, 1]
    # A history that is given is of now, after everything in the log.
    assert history.time[history.user == 1].min() > bundle.manifest.last_event
    assert history.time[history.user == 0].max() <= bundle.manifest.last_event
