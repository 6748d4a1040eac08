"""Between the looks and the searches of stage 3: what each candidate earns in a blend of the first models."""

import json
from collections.abc import Mapping
from pathlib import Path

from recsys.code import code_digest
from recsys.config import Config
from recsys.config import digest as digest_of_parts
from recsys.data.atomic import mark_used, new_folder
from recsys.data.prepared import Prepared
from recsys.hybrid.pool import build_pool
from recsys.hybrid.selection import fit
from recsys.metrics.segments import head_items
from recsys.stages.candidates import Searched, on_train
from recsys.stages.workspace import work
from recsys.tuning.budget import Budget

METHOD = "weighted"
"""The hybrid whose weights are what is earned: it hears every member, and its weights are shares."""
MOST_USERS = 1000
"""Validation users the blend is fitted on, at most: its shares only steer the search. Those of three samples of a
thousand differed by 0.01, those of 300 by 0.04; with six members and 20,000 items a thousand take three seconds."""
RESULT = "earned.json"


def budget(config: Config, prepared: Prepared, first: Mapping[str, Searched]) -> Budget:
    """The seconds that the looks left, shared by what the first models earn."""
    cost = {name: one.tuned.seconds for name, one in first.items()}
    return Budget(config.tuning.timeout - sum(cost.values()), earned(config, prepared, first), cost)


def earned(config: Config, prepared: Prepared, first: Mapping[str, Searched]) -> dict[str, float]:
    """Each candidate's share in the blend of the first models, or what an earlier run found among the same ones."""
    params = {name: one.tuned.params for name, one in first.items()}
    studies = {name: Path(one.folder).name for name, one in first.items()}
    key = digest_of_parts(studies, params, MOST_USERS, config.hybrid.pool, code_digest("hybrid"))
    folder = work(config, "looks", key)
    if not (folder / RESULT).is_file():
        members = {name: on_train(one, config, prepared) for name, one in first.items()}
        split = prepared.split
        users = split.validation.sample(MOST_USERS, config.seed)
        pool = build_pool(members, users, ~head_items(split.train), config.hybrid.pool)
        shares = fit(METHOD, members, pool).weights()
        with new_folder(folder) as draft:
            (draft / RESULT).write_text(json.dumps(shares), encoding="utf-8")
    mark_used(folder)
    found: dict[str, float] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return found
