"""The deployments of prefect.yaml: registered on a Prefect server for workers, or served by this process.

Imported once `tasks.settings.settle` has set the environment and a server was found to answer.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

import yaml
from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import PREFECT_UI_URL
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.templating import apply_values
from prefect.workers.process import ProcessWorker

from flows.shipped import shipped
from recsys.addresses import without_login
from recsys.config import Config

FILE = "prefect.yaml"
TAG = "recsys"
"""Of all deployments in it."""
SILENCE = timedelta(minutes=3)
"""Without a sign of life, after which a run is taken for dead; `tasks.settings` has one sent every half minute."""
RULE = "recsys: a run without a sign of life has crashed"
VANISHED = f"no sign of life for {SILENCE.seconds // 60} minutes; start it again, and it goes on where it was"
HEARTBEAT, END = "prefect.flow-run.heartbeat", ("Completed", "Failed", "TimedOut", "Cancelled", "Crashed")


def deploy(config: Config, path: Path) -> list[RunnerDeployment]:
    """Register all deployments of a configuration for workers; the work pool is made where it is missing.

    Args:
        config: what stands at `path`.
        path: the configuration file, as runs will find it from the working directory of this process.

    Raises:
        InputError: prefect.yaml is not there.
    """
    made = [_deployment(entry, pool=True) for entry in _declared(config, path)]
    _watch()
    asyncio.run(_make_pools({one.work_pool_name for one in made if one.work_pool_name}))
    for one in made:
        one.apply()
    return made


def serve(config: Config, path: Path, ready: Callable[[list[RunnerDeployment]], None]) -> None:
    """Register all deployments and run what is due, each run in a process of its own, until SIGINT or SIGTERM.

    Runs that are going on then are cancelled, and schedules rest until somebody serves again.

    Args:
        config: what stands at `path`.
        path: the configuration file, as runs will find it from the working directory of this process.
        ready: called once everything is registered and runs are waited for.

    Raises:
        InputError: prefect.yaml is not there.
    """
    made = [_deployment(entry, pool=False) for entry in _declared(config, path)]
    _watch()
    runner = _Runner(partial(ready, made))
    for one in made:
        runner.add_deployment(one)
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


def lines(deployments: list[RunnerDeployment]) -> list[str]:
    """What is there now, when it runs, and where to look, for a terminal."""
    width = max(len(one.full_name) for one in deployments)
    told = [f"  {one.full_name:{width}}  {_when(one)}" for one in deployments]
    return [*told, f"Forms, schedules and runs: {without_login(str(PREFECT_UI_URL.value()))}/deployments"]


class _Runner(Runner):
    """Prefect's, which at its end kills runs that the server then takes for running, and trips over SIGTERM (3.8.8)."""

    def __init__(self, ready: Callable[[], None]) -> None:
        super().__init__()
        self._ready = ready

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._ready()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.cancel_all()
        await super().__aexit__(*error)

    def handle_sigterm(self, *args: Any, **kwargs: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def _declared(config: Config, path: Path) -> list[dict[str, Any]]:
    """The entries of prefect.yaml, filled in by Prefect's own rules from the environment, which is set here."""
    file = shipped(FILE)
    os.environ |= {"RECSYS_NAME": config.name, "RECSYS_CONFIG": str(path), "PWD": str(Path.cwd())}
    return apply_values(yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"], {})


def _deployment(entry: dict[str, Any], *, pool: bool) -> RunnerDeployment:
    flow = load_flow_from_entrypoint(entry["entrypoint"])
    active = _switched(f"{flow.name}/{entry['name']}")
    schedules = [{**one, "active": active.get(one["slug"], one["active"])} for one in entry.get("schedules", ())]
    deployment: RunnerDeployment = flow.to_deployment(
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        parameters=entry["parameters"],
        schedules=[Cron(one.pop("cron"), **one) for one in schedules],
        concurrency_limit=ConcurrencyLimitConfig(**entry["concurrency_limit"]),
        entrypoint_type=EntrypointType.MODULE_PATH,
        job_variables=entry["work_pool"]["job_variables"] if pool else None,
    )
    # Assigned, because Prefect leaves what was never set as it was on the server: a served deployment has to leave the
    # pool that it was deployed to, or a worker would take its runs as well.
    deployment.work_pool_name = entry["work_pool"]["name"] if pool else None
    deployment.work_queue_name = None
    return deployment


def _switched(name: str) -> dict[str, bool]:
    """Which schedules of a deployment are on, by their slugs; none where it was never registered."""
    with get_client(sync_client=True) as client:
        try:
            known = client.read_deployment_by_name(name)
        except ObjectNotFound:
            return {}
    return {schedule.slug: schedule.active for schedule in known.schedules if schedule.slug}


def _watch() -> None:
    """Have the server crash runs that vanished without a word; nobody else would, and their place would stay taken."""
    rule = AutomationCore(
        name=RULE,
        description=f"A run of a deployment with the tag {TAG} that was not heard of for {SILENCE}.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in END)},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=VANISHED)],
    )
    with get_client(sync_client=True) as client:
        known = client.read_automations_by_name(rule.name)
        if known:
            client.update_automation(known[0].id, rule.model_copy(update={"enabled": known[0].enabled}))
        else:
            client.create_automation(rule)


async def _make_pools(names: set[str]) -> None:
    template = ProcessWorker.get_default_base_job_template()
    async with get_client() as client:
        for name in names:
            try:
                await client.read_work_pool(name)
            except ObjectNotFound:
                await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))


def _when(deployment: RunnerDeployment) -> str:
    found = [
        f"{one.schedule.cron} {one.schedule.timezone}, {'on' if one.active else 'off'}"
        for one in deployment.schedules or ()
    ]
    return "; ".join(found) or "when you start it"
