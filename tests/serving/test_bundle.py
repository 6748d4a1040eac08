"""The bundle: what is written comes back, and nothing in it runs on loading."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from recsys.errors import InputError
from recsys.feedback.event import Event
from recsys.feedback.store import forgotten_in, open_store
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.weighted import Weighted
from recsys.models.table import create
from recsys.serving.bundle import Bundle, Manifest, write_bundle
from recsys.serving.recommender import Engine


@pytest.mark.parametrize("as_text", [False, True])
def test_what_is_written_comes_back(toy_split, toy_bundle, tmp_path, as_text):
    split = toy_split(as_text=as_text)
    written = toy_bundle(tmp_path / "bundle", split, weights={"ease": 0.7, "als": 0.3})
    read = Bundle.load(tmp_path / "bundle")
    assert read.manifest == written.manifest
    assert (read.manifest.weights, read.manifest.schema_version) == ({"ease": 0.7, "als": 0.3}, 3)
    for name in ("user", "item", "time", "weight"):
        got, expected = (getattr(data.interactions, name) for data in (read.data, split.data))
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    for got, expected in ((read.data.users, split.data.users), (read.data.items, split.data.items)):
        assert got.values.dtype == expected.values.dtype
        assert got.values.tolist() == expected.values.tolist()
    assert read.data.users.values[0] == ("u1" if as_text else 1)
    np.testing.assert_array_equal(read.data.item_features.toarray(), split.data.item_features.toarray())
    np.testing.assert_array_equal(read.data.interactions.features.toarray(), split.data.interactions.features.toarray())
    assert read.data.item_feature_names == ("camp=0", "camp=1")
    history = split.test.history
    for name in ("serving", "evaluated", "fallback"):
        np.testing.assert_array_equal(getattr(read, name).score(history), getattr(written, name).score(history))


def test_the_evaluated_model_never_saw_the_test(toy_split, toy_bundle, tmp_path):
    split = toy_split()
    bundle = toy_bundle(tmp_path / "bundle", split)
    # leave_last: of each of 60 users' 8 events one tests.
    assert (len(bundle.in_evaluated), int((~bundle.in_evaluated).sum())) == (480, 60)
    unseen = bundle.data.interactions.where(~bundle.in_evaluated)
    np.testing.assert_array_equal(unseen.user, split.test_events.user)
    np.testing.assert_array_equal(unseen.item, split.test_events.item)
    history = split.test.history
    assert np.abs(bundle.serving.score(history) - bundle.evaluated.score(history)).max() > 0.01


def test_no_file_needs_pickle(toy_bundle, tmp_path):
    toy_bundle(tmp_path / "bundle")
    files = sorted(path for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".json", ".npz"}
    for path in files:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype.kind != "O" for name in arrays)
        else:
            json.loads(path.read_text())
    assert zipfile.is_zipfile(tmp_path / "bundle" / "log.npz")


def test_a_hybrid_with_its_fallback_comes_back(toy_split, tmp_path):
    split = toy_split()
    ease, popular = (create(name).fit(split.for_test) for name in ("ease", "popularity"))
    hybrid = WithFallback.of(Weighted({"ease": ease, "popularity": popular}), popular)
    manifest = Manifest(
        name="toy",
        model="hybrid:weighted",
        fitted_on="train+validation",
        config_digest="c0ffee",
        dataset_digest="0123456789abcdef",
        split_method="leave_last",
        test_start=0,
        last_event=90_000,
    )
    bundle = write_bundle(tmp_path / "b", manifest, split, serving=hybrid, evaluated=hybrid, fallback=popular)
    history = split.test.history
    np.testing.assert_array_equal(bundle.serving.score(history), hybrid.score(history))
    answer = Engine(bundle).recommend([1, "stranger"], k=1)
    assert answer["source"].tolist() == ["hybrid:weighted", "popularity"]


def test_size(toy_bundle, tmp_path):
    bundle = toy_bundle(tmp_path / "bundle")
    assert bundle.mib == sum(p.stat().st_size for p in (tmp_path / "bundle").rglob("*.*")) / 1048576


def test_a_folder_that_is_no_bundle(toy_bundle, tmp_path):
    with pytest.raises(InputError, match=r"no bundle in .*: it has no bundle.json"):
        Bundle.load(tmp_path)
    bundle = toy_bundle(tmp_path / "bundle")
    newer = bundle.manifest.model_dump(mode="json") | {"schema_version": 4}
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(newer))
    with pytest.raises(InputError, match=r"(?s)is not of this version of recsys .*schema_version"):
        Bundle.load(tmp_path / "bundle")


def test_a_manifest_refuses_what_it_does_not_know(toy_bundle, tmp_path):
    said = toy_bundle(tmp_path / "bundle").manifest.model_dump()
    with pytest.raises(ValueError, match="fitted_on"):
        Manifest(**said | {"fitted_on": "everything"})


def test_what_has_happened_since_counts(toy_bundle, tmp_path):
    bundle = toy_bundle(tmp_path / "bundle")
    # User 1 met 113 and others long before, 101 never; 61 is new, and so is item 999.
    old = bundle.data.interactions
    met = int(bundle.data.items.raw(old.item[old.user == bundle.data.users.rows([1])[0]])[0])
    events = pd.DataFrame(
        [(1, 101, 90_000), (1, met, 90_001), (61, 113, 90_002), (61, 114, 90_003), (62, 999, 90_004)],
        columns=["user_id", "item_id", "timestamp"],
    )
    grown = bundle.with_events(events, np.array([1, 2, 1, 1, 1], dtype=np.float32))
    log = grown.data.interactions
    assert (len(log), log.n_users, len(bundle.data.interactions)) == (len(old) + 3, 62, len(old))
    assert grown.manifest.last_event == 90_003
    assert grown.in_evaluated.sum() == bundle.in_evaluated.sum()
    assert grown.data.users.values[:60].tolist() == bundle.data.users.values.tolist()
    row = grown.data.users.rows([61])[0]
    assert grown.data.items.raw(log.item[log.user == row]).tolist() == [113, 114]
    # What was there keeps its time and takes the larger weight.
    again = (log.user == bundle.data.users.rows([1])[0]) & (log.item == bundle.data.items.rows([met])[0])
    assert (log.time[again].max() < 90_000, log.weight[again].tolist(), log.weight.sum()) == (True, [2], len(log) + 1)
    engine = Engine(grown)
    pd.testing.assert_frame_equal(engine.recommend([2], k=5), Engine(bundle).recommend([2], k=5))
    assert 101 not in set(engine.recommend([1], k=24)["item_id"])
    told = engine.recommend([61, 62], k=3)
    assert told["source"].tolist() == ["ease"] * 3 + ["popularity"] * 3
    given = Engine(bundle).recommend(histories=[[113, 114]], k=3)
    assert told["item_id"][:3].tolist() == given["item_id"].tolist()


def test_features_of_users_who_came_since_are_empty(toy_bundle, tmp_path):
    bundle = toy_bundle(tmp_path / "bundle")
    events = pd.DataFrame({"user_id": ["guest"], "item_id": ["101"], "timestamp": [90_000]})
    grown = bundle.with_events(events, np.ones(1, np.float32))
    features, before = grown.data.interactions.features, bundle.data.interactions.features
    assert features.shape == (61, before.shape[1])
    assert (features[:60] != before).nnz == features[60].nnz == 0
    # Ids that are no numbers make text of all, as in a log.
    assert grown.data.users.values[[0, 60]].tolist() == [str(bundle.data.users.values[0]), "guest"]
    assert Engine(grown).recommend([1, "guest"], k=1)["source"].tolist() == ["ease", "ease"]


class TestForgotten:
    """User 7, whom the store was told to forget, in a bundle that was written before."""

    @pytest.fixture
    def bundle(self, toy_bundle, tmp_path):
        return toy_bundle(tmp_path / "bundle")

    @pytest.fixture
    def forgotten(self, tmp_path):
        with open_store(tmp_path) as store:
            store.append([Event("e1", "7", "101", "view", 10**6)], "here")
            store.forget("7", at=10**6)
        return forgotten_in(tmp_path)

    def test_nothing_of_theirs_is_left(self, bundle, forgotten):
        left, row = bundle.without(forgotten), int(bundle.data.users.rows([7])[0])
        log = left.data.interactions
        assert log.lengths[row] == 0
        assert (
            len(log) == len(bundle.data.interactions) - bundle.data.interactions.lengths[row] == len(left.in_evaluated)
        )
        assert log.features[row].nnz == 0
        others = np.arange(log.n_users) != row
        np.testing.assert_array_equal(
            log.features.toarray()[others], bundle.data.interactions.features.toarray()[others]
        )

    def test_they_are_answered_like_strangers_and_others_as_before(self, bundle, forgotten):
        before, after = Engine(bundle), Engine(bundle.without(forgotten))
        assert set(before.recommend([7])["source"]) == {"ease"}
        assert set(after.recommend([7])["source"]) == {"popularity"}
        pd.testing.assert_frame_equal(before.recommend([8]), after.recommend([8]))

    def test_where_nobody_was_forgotten_it_is_the_same(self, bundle, tmp_path):
        assert bundle.without(forgotten_in(tmp_path / "elsewhere")) is bundle
