"""The candidates by name: a new model is one file and one line here."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from recsys.errors import InputError, did_you_mean
from recsys.models.als import ALS
from recsys.models.base import Candidate
from recsys.models.ease import EASE
from recsys.models.fm import FM
from recsys.models.multvae import MultVAE
from recsys.models.popularity import Popularity
from recsys.models.sasrec import SASRec

TABLE: dict[str, type[Candidate]] = {model.name: model for model in (Popularity, ALS, FM, EASE, MultVAE, SASRec)}


def create(name: str, params: Mapping[str, Any] | None = None, *, seed: int = 0, device: str = "cpu") -> Candidate:
    """A candidate with these parameters, its defaults for the rest.

    Raises:
        InputError: unknown model or parameter, or a value out of its bounds.
    """
    if name not in TABLE:
        raise InputError(f"unknown model {name!r}: {did_you_mean(name, TABLE)}")
    model = TABLE[name]
    try:
        config = model.Config.model_validate(dict(params or {}))
    except ValidationError as error:
        finding = error.errors()[0]
        key = ".".join(str(part) for part in finding["loc"])
        hint = did_you_mean(key, model.Config.model_fields) if finding["type"] == "extra_forbidden" else finding["msg"]
        raise InputError(f"models.params.{name}.{key}: {hint} (seen: {finding['input']!r})") from error
    return model(config, seed=seed, device=device)
