"""The bundle: what is written comes back, and nothing in it runs on loading."""

import json
import zipfile

import numpy as np
import pytest

from recsys.errors import InputError
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
    assert (read.manifest.weights, read.manifest.schema_version) == ({"ease": 0.7, "als": 0.3}, 1)
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
    newer = bundle.manifest.model_dump(mode="json") | {"schema_version": 2}
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(newer))
    with pytest.raises(InputError, match=r"(?s)is not of this version of recsys .*schema_version"):
        Bundle.load(tmp_path / "bundle")


def test_a_manifest_refuses_what_it_does_not_know(toy_bundle, tmp_path):
    said = toy_bundle(tmp_path / "bundle").manifest.model_dump()
    with pytest.raises(ValueError, match="fitted_on"):
        Manifest(**said | {"fitted_on": "everything"})
