"""Parts of a log that came in after its file: `up-to-N.parquet`, where N is the watermark they reach.

The largest number in the names is the watermark itself, so that a part and its watermark appear in one rename.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.atomic import new_file
from recsys.data.schema import ITEM, USER
from recsys.data.sources import sha256_of
from recsys.data.validation_frames import typed

FOLDER: Final = "ingested"
REJECTED: Final = "rejected"
REASON: Final = "reason"
LOCK: Final = ".lock"
"""Held by whoever writes parts of a name, or takes rows out of them."""
_NAME: Final = re.compile(r"up-to-(\d{12,})\.parquet")
_COUNTS: Final = b"recsys.counts"


@dataclass(frozen=True)
class Counts:
    """What became of events that were drained: each is counted once."""

    accepted: int = 0
    impressions: int = 0
    """They say what was shown, and are no interactions."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Reason -> events."""

    @property
    def drained(self) -> int:
        """Events in all."""
        return self.accepted + self.impressions + sum(self.rejected.values())

    def __add__(self, other: "Counts") -> "Counts":
        rejected = dict(Counter(self.rejected) + Counter(other.rejected))
        return Counts(self.accepted + other.accepted, self.impressions + other.impressions, rejected)


def folder_of(store: str | Path, name: str) -> Path:
    """Where the parts of the log of a configuration lie."""
    return Path(store) / FOLDER / name


def watermark(folder: Path) -> int:
    """The number up to which everything was drained; 0 before the first part."""
    return max((number for number, _ in _numbered(folder)), default=0)


def read_parts(folder: Path) -> pd.DataFrame | None:
    """Events of all parts, in the order in which they came; none where there are none.

    Returns:
        The columns that a part has, `user_id`, `item_id` and `timestamp` at least; ids int64 where every one is a
        plainly written integer, else text.
    """
    parts = [pd.read_parquet(path) for _, path in sorted(_numbered(folder))]
    parts = [part for part in parts if len(part)]
    return typed(reduce(joined, parts)) if parts else None


def rows_of(folder: Path) -> int:
    """Events in all parts, by what the files say of themselves."""
    return sum(pq.read_metadata(path).num_rows for _, path in _numbered(folder))


def contents(folder: Path) -> list[str]:
    """SHA-256 of every part that holds events, in their order."""
    return [sha256_of(path) for _, path in sorted(_numbered(folder)) if pq.read_metadata(path).num_rows]


def counts_of(folder: Path) -> Counts:
    """What became of all events that were ever drained."""
    total = Counts()
    for _, path in _numbered(folder):
        said = pq.read_metadata(path).metadata or {}
        total += Counts(**json.loads(said.get(_COUNTS, b"{}")))
    return total


def write_part(folder: Path, number: int, events: pd.DataFrame, rejected: pd.DataFrame, counts: Counts) -> None:
    """Add a part, the rejected events first: where the part is, they are.

    Args:
        folder: of the log; the caller holds its lock.
        number: the watermark that the part reaches.
        events: accepted ones; may be empty.
        rejected: as they came, with a `reason`; may be empty.
        counts: kept in the part.
    """
    name = f"up-to-{number:012d}.parquet"
    if len(rejected):
        _write(folder / REJECTED / name, pa.Table.from_pandas(rejected, preserve_index=False))
    table = pa.Table.from_pandas(events, preserve_index=False)
    said = json.dumps({"accepted": counts.accepted, "impressions": counts.impressions, "rejected": counts.rejected})
    _write(folder / name, table.replace_schema_metadata({**(table.schema.metadata or {}), _COUNTS: said}))


def clear_drafts(folder: Path) -> None:
    """Remove what a killed writer left: drafts, and rejected events whose part never came."""
    reached = watermark(folder)
    unfinished = [path for number, path in _numbered(folder / REJECTED) if number > reached]
    for path in (*unfinished, *folder.glob(".*.draft"), *(folder / REJECTED).glob(".*.draft")):
        path.unlink()


def joined(log: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """A log and its parts as if they had stood in one file: ids whole numbers where every one is, else text."""
    frames = [log, parts]
    for name in (USER, ITEM):
        if len({pd.api.types.is_integer_dtype(frame[name].dtype) for frame in frames}) > 1:
            frames = [frame.assign(**{name: frame[name].astype("str")}) for frame in frames]
    return pd.concat(frames, ignore_index=True)


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.glob("up-to-*.parquet"):
        if match := _NAME.fullmatch(path.name):
            yield int(match[1]), path


def _write(path: Path, table: pa.Table) -> None:
    with new_file(path) as draft:
        pq.write_table(table, draft)
