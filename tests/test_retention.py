"""What MLflow keeps, on a real store: which versions are never deleted. All else is in `stages/test_prune.py`."""

from recsys import registry, retention


def test_champion_and_previous_are_not_deleted_whatever_they_were_when_asked(registered):
    before = registered(3)
    registry.promote("recsys-toy", 1, {}, against=None)
    registry.promote("recsys-toy", 2, {}, against=1)
    bundles = [registry.download(one) for one in before]
    assert [retention.delete(one) for one in before] == [False, False, True]
    assert [bundle.exists() for bundle in bundles] == [True, True, False]
    assert [one.number for one in registry.versions()] == [1, 2]
