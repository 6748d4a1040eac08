"""Ids and features of users and items on disk: what a prepared set and a served bundle have in common."""

import json
from pathlib import Path

from scipy import sparse

from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.data.schema import FloatArray, IntArray, RowArray

IDS = "ids.json"


def save_catalogue(data: Dataset, folder: Path) -> None:
    """Write ids.json (raw ids by row, names of features), and users.npz and items.npz where there are features."""
    for name, matrix in (("users", data.interactions.features), ("items", data.item_features)):
        if matrix is not None:
            sparse.save_npz(folder / f"{name}.npz", matrix)
    ids = {
        "users": data.users.values.tolist(),
        "items": data.items.values.tolist(),
        "user_feature_names": data.user_feature_names,
        "item_feature_names": data.item_feature_names,
    }
    (folder / IDS).write_text(json.dumps(ids), encoding="utf-8")


def holds_user(folder: Path, user_id: str) -> bool:
    """Whether a user is among the ids that `save_catalogue` wrote."""
    users = json.loads((folder / IDS).read_text(encoding="utf-8"))["users"]
    return user_id in map(str, users)


def load_dataset(folder: Path, user: RowArray, item: RowArray, time: IntArray, weight: FloatArray) -> Dataset:
    """A log of these events beside what `save_catalogue` wrote."""
    ids = json.loads((folder / IDS).read_text(encoding="utf-8"))
    users, items = IdMap.of(ids["users"]), IdMap.of(ids["items"])
    log = Interactions(user, item, time, weight, len(users), len(items), _features(folder / "users.npz"))
    names = (tuple(ids["user_feature_names"]), tuple(ids["item_feature_names"]))
    return Dataset(log, users, items, _features(folder / "items.npz"), *names)


def _features(path: Path) -> sparse.csr_matrix | None:
    return sparse.csr_matrix(sparse.load_npz(path)) if path.is_file() else None
