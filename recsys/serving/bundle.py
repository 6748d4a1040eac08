"""The artifact: one folder from which a process that never saw the data can answer for any user.

It holds personal data: the raw ids of all users with every event that models learn from (item, second, weight) and
the users' attributes. Whoever may read the folder may read what everybody did; to forget a user, retrain without
them and delete older versions.

    bundle.json   `Manifest`
    ids.json      raw ids of users and items by row number, names of features
    log.npz       user, item, time, weight, in_evaluated: one row an event
    users.npz, items.npz    features, where there are any
    serving/      the model that answers
    evaluated/    the model that was judged: the gate scores it where the serving one has seen too much
    fallback/     popularity, for histories without a known item

Arrays, JSON and nothing that runs on loading.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError
from scipy import sparse

import recsys
from recsys.config import Section
from recsys.data.atomic import size_mib
from recsys.data.catalogue import load_dataset, save_catalogue
from recsys.data.dataset import Dataset, Split
from recsys.data.idmap import UNKNOWN
from recsys.data.interactions import Interactions
from recsys.data.schema import ITEM, TIME, USER, BoolArray, FloatArray
from recsys.data.split import distinct
from recsys.errors import InputError
from recsys.hybrid import persistence
from recsys.models.base import Recommender

if TYPE_CHECKING:
    # A model that is served elsewhere comes without a feedback store, and without SQLAlchemy.
    from recsys.feedback.forgetting import Forgotten

MANIFEST, LOG = "bundle.json", "log.npz"
FittedOn = Literal["all", "train+validation"]


class Manifest(Section):
    """What is in a bundle, in words and numbers."""

    schema_version: Literal[3] = 3
    recsys_version: str = recsys.__version__
    name: str
    """Of the configuration."""
    model: str
    """Of the serving model, such as `hybrid:weighted`: the source of its recommendations."""
    fitted_on: FittedOn
    """The serving model; the evaluated one is always fitted on train+validation."""
    config_digest: str
    dataset_digest: str
    split_method: Literal["time", "leave_last", "ratio"]
    test_start: int
    """Time of the earliest test event, seconds."""
    last_event: int
    """Time of the latest event of the log, seconds."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Member -> weight, of a hybrid."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Of the evaluated model on test."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle, read; models are loaded when they are asked for."""

    folder: Path
    manifest: Manifest
    data: Dataset = field(repr=False)
    in_evaluated: BoolArray = field(repr=False)
    """[N] whether the evaluated model was fitted on the event."""
    device: str = "cpu"

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> "Bundle":
        """Read a bundle.

        Raises:
            InputError: the folder holds no bundle, or one of another version of the schema.
        """
        folder = Path(folder)
        try:
            manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"no bundle in {folder}: it has no {MANIFEST}") from error
        except ValidationError as error:
            raise InputError(
                f"{folder / MANIFEST} is not of this version of recsys ({recsys.__version__}): {error}"
            ) from error
        with np.load(folder / LOG) as arrays:
            events = [arrays[name] for name in ("user", "item", "time", "weight")]
            in_evaluated = arrays["in_evaluated"]
        return cls(folder, manifest, load_dataset(folder, *events), in_evaluated, device)

    @cached_property
    def serving(self) -> Recommender:
        """The model that answers."""
        return persistence.load(self.folder / "serving", self.device)

    @cached_property
    def evaluated(self) -> Recommender:
        """The model that was judged."""
        return persistence.load(self.folder / "evaluated", self.device)

    @cached_property
    def fallback(self) -> Recommender:
        """Popularity."""
        return persistence.load(self.folder / "fallback", self.device)

    def with_events(self, events: pd.DataFrame, weight: FloatArray) -> "Bundle":
        """The same models with what has happened since they were fitted: users new to the log have a row.

        Args:
            events: raw `user_id`, `item_id` and `timestamp`; those on items that the catalogue does not have are left
                out, but their users are not.
            weight: [N] float32 > 0 of the events.
        """
        old, users = self.data.interactions, self.data.users
        users = users.extend(events[USER][users.rows(events[USER]) == UNKNOWN])
        item = self.data.items.rows(events[ITEM])
        met = item != UNKNOWN
        user, time = users.rows(events[USER]), events[TIME].to_numpy(np.int64)
        new = Interactions.build(user[met], item[met], time[met], weight[met], n_users=len(users), n_items=old.n_items)
        features = old.features
        if features is not None:
            ends = np.pad(features.indptr, (0, len(users) - old.n_users), mode="edge")
            shape = (len(users), features.shape[1])
            features = sparse.csr_matrix((features.data, features.indices, ends), shape=shape)
        log = distinct(replace(old, n_users=len(users), features=features).union(new))
        data = replace(self.data, interactions=log, users=users)
        known = np.isin(log.pairs, old.where(self.in_evaluated).pairs)
        manifest = self.manifest.model_copy(update={"last_event": int(log.time.max())})
        return replace(self, manifest=manifest, data=data, in_evaluated=known)

    def without(self, forgotten: "Forgotten") -> "Bundle":
        """The same models, whose log and attributes say nothing of forgotten users; their rows stay, empty."""
        log, users = self.data.interactions, self.data.users
        gone = forgotten.left_out(users.raw(log.user), log.time)
        if not gone.any():
            return self
        left = log.where(~gone)
        nameless = np.zeros(log.n_users, dtype=bool)
        nameless[log.user[gone]] = True
        nameless &= left.lengths == 0
        if left.features is not None:
            kept = sparse.diags_array((~nameless).astype(np.float32))
            left = replace(left, features=sparse.csr_matrix(kept @ left.features, dtype=np.float32))
        return replace(self, data=self.data.with_interactions(left), in_evaluated=self.in_evaluated[~gone])

    @property
    def mib(self) -> float:
        """Size on disk, MiB."""
        return size_mib(self.folder)


def write_bundle(
    folder: Path,
    manifest: Manifest,
    split: Split,
    *,
    serving: Recommender,
    evaluated: Recommender,
    fallback: Recommender,
) -> Bundle:
    """Write a bundle into a new or empty folder, and read it back.

    Args:
        folder: where to.
        manifest: what is said of it.
        split: the log, ids and features, and which events the evaluated model was fitted on.
        serving: fitted on what `manifest.fitted_on` says.
        evaluated: fitted on train and validation.
        fallback: popularity, fitted on what the serving model is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, log = split.data, split.data.interactions
    known = np.isin(log.pairs, split.for_test.interactions.pairs)
    np.savez_compressed(
        folder / LOG, user=log.user, item=log.item, time=log.time, weight=log.weight, in_evaluated=known
    )
    save_catalogue(data, folder)
    for name, model in (("serving", serving), ("evaluated", evaluated), ("fallback", fallback)):
        persistence.save(model, folder / name)
    # Last: a folder with a manifest is complete.
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return Bundle.load(folder)
