"""A schedule that fires while the run before is still going."""

from itertools import pairwise

import pytest

from tests.servers import wait

pytestmark = pytest.mark.timeout(600)
EVERY = 5
"""Seconds, a fraction of what a training takes."""


def test_what_would_overlap_is_cancelled_and_the_next_one_runs(prefect, shop, worker):
    deployment = prefect.deployment("retrain/shop")["id"]
    often = {"active": True, "schedule": {"interval": EVERY}}
    (schedule,) = prefect.ask(f"/deployments/{deployment}/schedules", [often])

    def runs(*states):
        asked = {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": states}}}
        return prefect.ask("/flow_runs/filter", {"flow_runs": asked, "sort": "START_TIME_ASC"})

    wait(lambda: len(runs("COMPLETED")) > 1, lambda: runs("COMPLETED", "FAILED", "CRASHED", "CANCELLED", "RUNNING"))
    prefect.ask(f"/deployments/{deployment}/schedules/{schedule['id']}", method="DELETE")
    wait(lambda: not runs("SCHEDULED", "PENDING", "RUNNING"), lambda: runs("SCHEDULED", "PENDING", "RUNNING"))

    ran, cancelled = runs("COMPLETED"), runs("CANCELLED")
    assert all(earlier["end_time"] <= later["start_time"] for earlier, later in pairwise(ran))
    assert {one["state"]["message"] for one in cancelled} == {"Deployment concurrency limit reached."}
    assert not runs("FAILED", "CRASHED")
    assert all(one["auto_scheduled"] for one in ran + cancelled)
