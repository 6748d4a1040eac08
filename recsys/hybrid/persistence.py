"""Models on disk: model.json says what it is, state.npz what it learnt, members/ holds a hybrid's members."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from recsys.errors import InputError
from recsys.hybrid.base import Combination
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.table import TABLE
from recsys.models.base import Recommender
from recsys.models.table import create

COMBINATIONS: dict[str, Any] = {**TABLE, WithFallback.name: WithFallback}


def save(model: Recommender, folder: Path) -> None:
    """Write a fitted model into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    what: dict[str, Any] = {"name": model.name}
    if isinstance(model, Combination):
        what["members"] = list(model.members)
        for name, member in model.members.items():
            save(member, folder / "members" / name)
    else:
        config = model.config  # type: ignore[attr-defined]  # a candidate has one, a hybrid has members
        what["config"] = config.model_dump(mode="json")
    arrays: dict[str, Any] = model.state()
    np.savez(folder / "state.npz", **arrays)
    # Last: a folder with a model.json is complete.
    (folder / "model.json").write_text(json.dumps(what, indent=1), encoding="utf-8")


def load(folder: Path, device: str = "cpu", *, seed: int = 0) -> Recommender:
    """Read a model back, ready to score on this device, and to be fitted anew from this seed.

    Raises:
        InputError: the folder holds no model.
    """
    path = folder / "model.json"
    if not path.is_file():
        raise InputError(f"no model in {folder}: it has no model.json")
    what = json.loads(path.read_text(encoding="utf-8"))
    model: Recommender
    if "members" in what:
        members = {name: load(folder / "members" / name, device, seed=seed) for name in what["members"]}
        model = COMBINATIONS[what["name"]](members)
    else:
        model = create(what["name"], what["config"], seed=seed, device=device)
    with np.load(folder / "state.npz", allow_pickle=False) as state:
        return model.load(dict(state))
