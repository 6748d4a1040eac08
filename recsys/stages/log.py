"""The training log of a configuration: its file, what came in by feedback since, without users who were forgotten."""

from dataclasses import dataclass

import pandas as pd

from recsys.config import Config, digest
from recsys.data import parts, prepared
from recsys.data.readers import read_events
from recsys.data.schema import REQUIRED, TIME, USER
from recsys.feedback.store import forgotten_in


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """Events to learn from."""

    events: pd.DataFrame
    """As `readers.read_events` gives them; those of the file first."""
    forgotten: int = 0
    """Events that are not among them because their user was forgotten."""


def training_log(config: Config) -> TrainingLog:
    """Read the log of a located configuration.

    A column that only the file or only the feedback has is missing in the events of the other. A file without a
    required column is left as it is, for the data contract to judge.

    Raises:
        InputError: the file cannot be read.
    """
    events = read_events(config.data)
    if not {*REQUIRED} <= {*events.columns}:
        return TrainingLog(events)
    feedback = parts.read_parts(parts.folder_of(config.store, config.name))
    if feedback is not None:
        events = parts.joined(events, feedback)
    left_out = forgotten_in(config.store).left_out(events[USER], events[TIME])
    if not left_out.any():
        return TrainingLog(events)
    return TrainingLog(events[~left_out].reset_index(drop=True), int(left_out.sum()))


def digest_of(config: Config) -> str:
    """Digest (16 hex digits) of all that validation and preparation of a located configuration depend on.

    That of the files and settings alone, where nothing came in by feedback and nobody was forgotten.
    """
    files = prepared.digest_of(config)
    content = parts.contents(parts.folder_of(config.store, config.name))
    forgotten = forgotten_in(config.store).digest
    return digest(files, content, forgotten) if content or forgotten else files
