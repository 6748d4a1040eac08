"""What MLflow keeps, on a real store: which versions are never deleted. All else is in `stages/test_prune.py`."""

import shutil

import pytest

from recsys import records, registry, retention, tracking
from recsys.errors import InputError
from recsys.serving.bundle import Bundle


def test_champion_and_previous_are_not_deleted_whatever_they_were_when_asked(registered):
    before = registered(3)
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 2, {}, against=1)
    bundles = [registry.download(one) for one in before]
    assert [retention.delete(one) for one in before] == [False, False, True]
    assert [bundle.exists() for bundle in bundles] == [True, True, False]
    assert [one.number for one in registry.versions()] == [1, 2]


def test_a_bundle_stays_while_a_copy_of_its_version_does(registered):
    """MLflow's copies share a bundle; whichever of them goes last takes it along."""
    first, second = registered(2)
    mlflow = tracking.client()
    mlflow.copy_model_version(first.uri, "in-production")
    registry.promote("in-production", 1, {}, against=None)
    copy = registry.find("in-production", 1)
    bundle = registry.download(copy)
    assert retention.mib_of(copy) == retention.mib_of(first) > 0
    assert retention.delete(copy) is False
    assert retention.delete(first) is True
    assert retention.delete(first) is False, "it is gone"
    assert Bundle.load(bundle).manifest.name == "toy"
    assert retention.mib_of(copy) > 0
    mlflow.delete_registered_model_alias("in-production", "champion")
    assert retention.delete(copy) is True
    assert not bundle.exists()
    assert registry.versions() == [second]
    assert retention.unregistered("toy", "recsys-toy") == []


def test_a_registry_that_never_heard_of_the_model_does_not_decide_over_its_bundles(
    registered, store, fresh_database, tmp_path, monkeypatch
):
    registered(1)
    assert retention.unregistered("toy", "recsys-toy") == []
    shutil.copy(fresh_database, tmp_path / "another.db")
    monkeypatch.setenv(tracking.REGISTRY_URI, f"sqlite:///{tmp_path}/another.db")
    tracking.open_store(store)
    with pytest.raises(InputError, match=r"the registry knows no model recsys-toy, .* set MLFLOW_REGISTRY_URI"):
        retention.unregistered("toy", "recsys-toy")


def killed_between_its_aliases(old, new):
    with records.moving("recsys-toy", "gate", old, new):
        tracking.client().set_registered_model_alias("recsys-toy", "champion", new)
        raise KeyboardInterrupt


def test_what_a_killed_promotion_had_not_called_previous_yet_is_not_deleted(registered):
    _, second, _ = registered(3)
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 2, {}, against=1)
    with pytest.raises(KeyboardInterrupt):
        killed_between_its_aliases(2, 3)
    assert retention.delete(second) is False
    assert registry.rollback("recsys-toy") == (3, 2)
