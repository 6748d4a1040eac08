"""The machine's clock in another time zone: every date and every cut comes out as it does in UTC."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

ZONES = ("UTC", "Pacific/Auckland")
CONFIG = """
name = "shop"
store = "store"
[data]
path = "events.csv"
[data.event_weights]
view = 1
[validation]
earliest = "2026-03-01"
[backtest]
period_days = 1.0
"""
LOOK = """
import hashlib, json, time

from recsys import tracking
from recsys.backtest.setting import set_up
from recsys.config import load
from recsys.data.parts import folder_of, read_parts
from recsys.feedback.read import reading
from recsys.feedback.store import open_store
from recsys.stages.ingest import ingest, watermark
from recsys.stages.log import digest_of
from recsys.stages.monitor import beginning, watch
from recsys.stages.preprocess import preprocess
from recsys.stages.validate import validate
from recsys.stages.workspace import located, prepared_set

config = located(load("shop.toml"))
with reading("feedback.jsonl") as records, open_store(config.store) as feedback:
    feedback.append(records, "a test")
tracking.open_store(config.store)
report, _ = validate(config)
before = digest_of(config)
split = prepared_set(preprocess(config)[0]).split
counts = ingest(config)
watched = watch(config, beginning("2026-03-29T00:30", 7))
print(json.dumps({
    "hours east of UTC": time.localtime(1_774_800_000).tm_gmtoff / 3600,
    "accepted": [report.accepted, [rule.message for rule in report.rules]],
    "digests": [before, digest_of(config)],
    "split": {
        name: hashlib.sha256(b"".join(array.tobytes() for array in (events.user, events.item, events.time))).hexdigest()
        for name, events in
        [("train", split.train), ("validation", split.validation_events), ("test", split.test_events)]
    },
    "edges": [int(split.train.time.max()), int(split.test_events.time.min()), int(split.test_events.time.max())],
    "ingested": [counts.accepted, watermark(config), read_parts(folder_of(config.store, "shop"))["timestamp"].tolist()],
    "periods": [str(period) + f" {period.begin} {period.end}" for period in set_up(config).periods],
    "moments": [beginning(moment, 7) for moment in ("2026-03-29", "2026-03-29T02:30", "2026-03-29T02:30+13:00")],
    "monitor": [watched.since, [day.model_dump() for day in watched.daily], watched.impressions, watched.responses],
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the same files come to in each time zone: their times name none, and span the nights of clock changes."""
    rng = np.random.default_rng(0)
    moments = pd.date_range("2026-03-05 00:10", "2026-04-10 23:50", periods=1200).floor("s")
    events = pd.DataFrame(
        {
            "user_id": rng.integers(1, 41, len(moments)),
            "item_id": rng.integers(101, 131, len(moments)),
            "timestamp": moments.strftime("%Y-%m-%dT%H:%M:%S"),
            "event_type": "view",
        }
    )
    lines = []
    for number, moment in enumerate(pd.date_range("2026-03-28 22:15", "2026-03-30 03:15", freq="30min")):
        user, item = int(1 + number % 40), int(101 + number % 30)
        shown = {"event_id": f"i{number}", "event_type": "impression", "request_id": f"r{number}", "position": 1}
        taken = {"event_id": f"v{number}", "event_type": "view", "request_id": f"r{number}"}
        about = {"user_id": str(user), "item_id": str(item), "timestamp": moment.isoformat()}
        lines += [json.dumps(one | about) for one in (shown, taken)]

    def look(zone):
        folder = tmp_path_factory.mktemp(zone.replace("/", "-"))
        events.to_csv(folder / "events.csv", index=False)
        (folder / "feedback.jsonl").write_text("\n".join(lines))
        (folder / "shop.toml").write_text(CONFIG)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "RECSYS_"))}
        done = subprocess.run(
            [sys.executable, "-c", LOOK],
            cwd=folder, env=inherited | {"TZ": zone}, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    with ThreadPoolExecutor() as both_at_once:
        return dict(zip(ZONES, both_at_once.map(look, ZONES), strict=True))


def test_the_clocks_differ(seen):
    assert [seen[zone]["hours east of UTC"] for zone in ZONES] == [0, 13]


def test_there_is_something_to_see(seen):
    here = seen["UTC"]
    assert here["ingested"][0] == 59
    assert len(here["periods"]) > 10
    assert [day["day"] for day in here["monitor"][1]] == ["2026-03-29", "2026-03-30"]
    assert here["monitor"][0] == "2026-03-29T00:30:00+00:00"


@pytest.mark.parametrize("what", ["accepted", "digests", "split", "edges", "ingested", "periods", "moments", "monitor"])
def test_nothing_else_differs(seen, what):
    here, there = (seen[zone][what] for zone in ZONES)
    assert there == here
