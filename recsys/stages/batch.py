"""Answers in batches: the champion's best items for everybody it knows of, as Parquet, a part at a time.

    STORE/recommendations/MODEL/latest.json          which batch of the champion was finished last
    STORE/recommendations/MODEL/vVERSION-kK-DIGEST/  part-00000.parquet … and, when it is finished, manifest.json

The digest is that of all the answers depend on. A batch that was killed goes on at its first missing part; a new
champion, or new events, make a new folder.
"""

import json
import logging
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from recsys import registry
from recsys.code import code_digest
from recsys.config import Config, Section, digest
from recsys.data import parts
from recsys.data.atomic import check_writable, mark_used, new_file
from recsys.data.idmap import IdMap
from recsys.data.prepare import event_weights, rated_below
from recsys.data.schema import COLUMNS, ITEM, TIME, USER
from recsys.errors import InputError
from recsys.feedback.forgetting import Forgotten
from recsys.feedback.store import forgotten_in
from recsys.registry import CHAMPION, Version
from recsys.serving.bundle import Bundle
from recsys.serving.load import pick
from recsys.serving.recommender import Engine
from recsys.stages.candidates import device_of
from recsys.stages.retraining import champion

log = logging.getLogger("recsys.batch")

FOLDER, MANIFEST, LATEST = "recommendations", "manifest.json", "latest.json"
PART_USERS: Final = 20_000
"""Users of a part: what a kill can cost. How many are scored at a time is up to the engine's memory."""
CODE: Final = ("data", "hybrid", "metrics", "models", "serving")
"""Packages that decide what is answered."""


class Batch(Section):
    """The manifest of a finished batch."""

    model: str
    """As MLflow takes it: `models:/NAME/VERSION`."""
    version: int
    k: int
    """Most items an answer has."""
    users: int
    rows: int
    parts: int
    since: int
    """Events that came in after the log the version was fitted on; they count in the answers."""
    digest: str
    """Of all the answers depend on."""
    when: str
    """When it was finished, ISO 8601."""
    seconds: float
    """Of the process that finished it."""


def recommend_all(
    config: Config, k: int = 20, out: str | Path | None = None, model: str | None = None
) -> tuple[Batch, Path, bool]:
    """Answer everybody in the log of a version, and who came in since; the tracking store is open.

    Args:
        config: its ingested events count as what users have done since; forgotten users are left out; its device
            scores.
        k: items an answer has, at least 1; fewer where the catalogue has no more.
        out: folder for the batches; default: STORE/recommendations/MODEL.
        model: which version answers, as `recsys.serving.load.pick` takes it; default: the champion.

    Returns:
        The manifest, the folder of the batch, and whether it was finished before.

    Raises:
        InputError: there is no such version, `out` cannot be written, or k is no whole number above 0.
    """
    begun = time.perf_counter()
    version = version_of(config, model)
    top = Path(out) if out else Path(config.store) / FOLDER / version.model
    check_writable(top)
    top.mkdir(parents=True, exist_ok=True)
    # Forgetting a user holds this lock too: nobody is answered who was forgotten while this batch waited.
    with FileLock(top / parts.LOCK):
        forgotten = forgotten_in(config.store)
        # The run tells apart versions of one number, in two registries or before and after one was deleted.
        key = digest(version.uri, version.run_id, k, forgotten.digest, *_inputs(config))
        folder = top / f"v{version.number}-k{k}-{key[:8]}"
        reused = (folder / MANIFEST).is_file()
        if reused:
            log.info("batch: version %d has answered everybody already, in %s", version.number, folder)
            mark_used(folder)
            batch = Batch.model_validate_json((folder / MANIFEST).read_bytes())
        else:
            _clear(top, folder)
            users, rows, since = _answer(config, version, forgotten, k, folder)
            batch = Batch(
                model=version.uri,
                version=version.number,
                k=k,
                users=users,
                rows=rows,
                parts=-(-users // PART_USERS),
                since=since,
                digest=key,
                when=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds=round(time.perf_counter() - begun, 1),
            )
            _tell(batch.model_dump(), folder / MANIFEST)
        if CHAMPION in version.aliases:
            _tell({"folder": folder.name, **batch.model_dump()}, top / LATEST)
    return batch, folder, reused


def version_of(config: Config, model: str | None = None) -> Version:
    """The version that answers: the champion of a configuration, or the one that a person names.

    Raises:
        InputError: there is none.
    """
    if model is not None:
        return pick(model, registry.versions())
    found = champion(config)
    if found is None:
        listed = ", ".join(map(str, registry.versions(config.model_name))) or "none"
        raise InputError(
            f"{config.model_name} has no champion to answer; make one with recsys run CONFIG, or name a version with "
            f"--model; versions: {listed}"
        )
    return found


def batch_markdown(batch: Batch, folder: Path) -> str:
    """What was answered, and where it lies, for a run page."""
    facts = {
        "model": batch.model,
        "users": f"{batch.users:,}",
        "rows": f"{batch.rows:,}, {batch.k} a user at most",
        "events since it was fitted": f"{batch.since:,}",
        "finished": f"{batch.when}, {batch.seconds:.1f} s",
        "folder": f"`{folder}`",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())])


def _inputs(config: Config) -> tuple[object, ...]:
    """What the answers of a version depend on, beside who was forgotten."""
    ingested, data = parts.contents(parts.folder_of(config.store, config.name)), config.data
    return ingested, data.event_weights, data.min_rating, PART_USERS, device_of(config), code_digest(*CODE)


def _answer(config: Config, version: Version, forgotten: Forgotten, k: int, folder: Path) -> tuple[int, int, int]:
    """Write the parts that are missing.

    Returns:
        Users and rows of all parts, and events that counted beside those the version was fitted on.
    """
    bundle, users, since = _as_of_now(Bundle.load(registry.download(version), device_of(config)), config, forgotten)
    engine, rows = Engine(bundle), 0
    kinds = [(name, _kind(ids)) for name, ids in ((USER, bundle.data.users), (ITEM, bundle.data.items))]
    schema = pa.schema([*kinds, ("score", pa.float32()), ("rank", pa.int32()), ("source", pa.string())])
    for number, start in enumerate(range(0, len(users), PART_USERS)):
        path = folder / f"part-{number:05d}.parquet"
        if not path.is_file():
            answer = engine.recommend(users[start : start + PART_USERS], k=k)
            with new_file(path) as draft:
                pq.write_table(pa.Table.from_pandas(answer, schema=schema, preserve_index=False), draft)
        rows += pq.read_metadata(path).num_rows
        log.info("batch: %s of %s users answered", f"{min(start + PART_USERS, len(users)):,}", f"{len(users):,}")
    return len(users), rows, since


def _as_of_now(bundle: Bundle, config: Config, forgotten: Forgotten) -> tuple[Bundle, list[Any], int]:
    """The bundle with ingested events and without forgotten ones, whom to answer, and how many events came in."""
    before = bundle.data.interactions
    bundle = bundle.without(forgotten)
    left = bundle.data.interactions
    ingested = parts.read_parts(parts.folder_of(config.store, config.name))
    if ingested is not None:
        # Feedback without any rating has no column of them.
        ingested = ingested.reindex(columns=[*COLUMNS])
        weight = event_weights(ingested, config.data)
        counts = (weight > 0) & ~rated_below(ingested, config.data)
        counts &= ~forgotten.left_out(ingested[USER], ingested[TIME])
        bundle = bundle.with_events(ingested[counts], weight[counts])
    log = bundle.data.interactions
    # A forgotten user who did not come back keeps the row, and gets no answer.
    answered = np.ones(log.n_users, dtype=bool)
    answered[: before.n_users] = before.lengths == left.lengths
    answered |= log.lengths > 0
    return bundle, bundle.data.users.values[answered].tolist(), len(log) - len(left)


def _kind(ids: IdMap) -> pa.DataType:
    return pa.int64() if ids.is_integer else pa.string()


def _clear(top: Path, folder: Path) -> None:
    """Remove what was never finished and never will be: events or code have changed since."""
    start, _, _ = folder.name.rpartition("-")
    for other in top.glob(f"{start}-*"):
        if other != folder and not (other / MANIFEST).is_file():
            shutil.rmtree(other)


def _tell(content: Mapping[str, Any], path: Path) -> None:
    with new_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
