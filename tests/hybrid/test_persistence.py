"""Folders of models: what is in them, what is nested, what is missing. Round trips stand in the contract test."""

import json

import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.errors import InputError
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.persistence import load, save
from recsys.hybrid.weighted import Weighted
from recsys.models.popularity import Popularity
from recsys.models.table import create

LOG = Interactions.of_histories([[0, 1], [1, 2], [2, 0, 1]], 4)
DATA = Dataset(LOG, IdMap.of(range(3)), IdMap.of(range(4)))


@pytest.fixture
def nested():
    members = {"popularity": create("popularity").fit(DATA), "ease": create("ease", {"reg": 7.0}).fit(DATA)}
    hybrid = Weighted(members)
    hybrid.W[1] = (0.25, 2, 0, 1, 0, 0)
    return WithFallback.of(hybrid, members["popularity"])


def test_a_hybrid_of_hybrids_comes_back_whole(nested, tmp_path):
    save(nested, tmp_path / "model")
    files = {str(path.parent.relative_to(tmp_path / "model")) for path in tmp_path.rglob("model.json")}
    assert files == {
        ".", "members/model", "members/fallback", "members/model/members/popularity", "members/model/members/ease"
    }  # fmt: skip
    back = load(tmp_path / "model")
    history = Interactions.of_histories([[], [0], [3, 1]], 4)
    np.testing.assert_array_equal(back.score(history), nested.score(history))
    assert back.members["model"].members["ease"].config.reg == 7.0


def test_model_json_says_what_it_is(nested, tmp_path):
    save(nested.members["model"], tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == {"name": "weighted", "members": ["popularity", "ease"]}
    assert json.loads((tmp_path / "members/ease/model.json").read_text()) == {
        "name": "ease",
        "config": nested.members["model"].members["ease"].config.model_dump(),
    }


def test_an_interrupted_save_leaves_no_model(tmp_path):
    class FullDisk(Popularity):
        def state(self):
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        save(FullDisk().fit(DATA), tmp_path / "model")
    with pytest.raises(InputError) as error:
        load(tmp_path / "model")
    assert str(error.value) == f"no model in {tmp_path / 'model'}: it has no model.json"
