"""Estimates of memory beside what a process took: peak of a fit over what it held before."""

import subprocess
import sys

import pytest

FIT = """
import sys
from pathlib import Path
import numpy as np
from recsys.data.dataset import Dataset
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.models.table import create

def made(users, items, events):
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(users * items, size=events))
    log = Interactions.build(pairs // items, pairs % items, np.arange(len(pairs)), n_users=users, n_items=items)
    return Dataset(log, IdMap.of(range(users)), IdMap.of(range(items)))

def held(what):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return 1024 * int(line.split()[1])

model = create(sys.argv[1], {"epochs": 1})
model.fit(made(300, 200, 3000))  # what the libraries take once
data = made(*map(int, sys.argv[2:]))
before = held("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
model.fit(data)
print(model.memory_bytes(model.config, data), held("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says how much memory a process took, and forgets it")
@pytest.mark.parametrize("model", ["fm", "multvae", "sasrec"])
def test_users_and_events_are_counted(model):
    """Many users of few items: what is large is the factorisation that gives the first vectors."""
    command = [sys.executable, "-c", FIT, model, "60000", "1000", "120000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    estimate, measured = map(int, done.stdout.split())
    assert 0.9 * measured <= estimate <= 2.5 * measured
