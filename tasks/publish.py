"""What a run page shows: one artifact a stage, and the report at the end."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.utilities.urls import url_for

from recsys import tracking
from recsys.addresses import without_login
from recsys.registry import describe
from recsys.report.figures import hybrid_weights, png
from recsys.report.markdown import (
    leaderboard_markdown,
    report_markdown,
    verdict_markdown,
    version_markdown,
    weights_markdown,
)
from recsys.report.scorecard import Scorecard
from recsys.report.wording import choice_line, dataset_line, headline
from recsys.report.write import write_report
from recsys.tracking import Run
from tasks.comparison import outcome
from tasks.step import step

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def note(stage: str, markdown: str, gist: str, reused: bool = False) -> None:
    """An artifact on the page of the current run; `gist` is its description in lists."""
    remark = "*Unchanged since an earlier run, re-used.*\n\n" if reused else ""
    create_markdown_artifact(remark + markdown, key=stage, description=gist)


def entitle(name: str) -> None:
    """Name the current flow run after what it is about, once that is known."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=name)
    if context := FlowRunContext.get():
        context.flow_run.name = name  # for whoever asks what the run is called


def run_link(run: Run) -> str:
    """Where to find a run of MLflow, in Markdown."""
    url = run.url()
    return f"[{run.id}]({url})" if url else f"`{run.id}` in {tracking.where()}"


def flow_run_tags() -> dict[str, str]:
    """What leads from a run of MLflow back to the flow run."""
    url = _flow_run_url()
    said = {"prefect.flow_run": flow_run.id, "prefect.flow_run.name": flow_run.name, "prefect.flow_run.url": url}
    return {name: value for name, value in said.items() if value}


def _flow_run_url() -> str | None:
    # The server that Prefect starts where none is named shows no pages, and is gone after the run.
    url = url_for("flow-run", obj_id=flow_run.id) if PREFECT_API_URL.value() else None
    return url and without_login(url)


@step("report on {card.dataset.name}")
def publish(
    card: Scorecard, histories: dict[str, list[float]], per_user: Path, folder: Path, run: Run,
    model: str, version: int | None,
) -> list[Path]:  # fmt: skip
    """Write the report, and put the same on the run page and into MLflow: on the run, and on the version it made."""
    files = write_report(card, folder, histories=histories, per_user=per_user)
    note("leaderboard", leaderboard_markdown(card), dataset_line(card))
    weights = f"{weights_markdown(card)}\n\n{_picture(hybrid_weights(card), 'weights of the members')}"
    note("hybrid-weights", weights, f"{card.hybrid.chosen}, {choice_line(card.hybrid)}")
    note("promotion", verdict_markdown(card), headline(card.promotion))
    for path in files:
        run.artifact(path, "report")
    run.log(
        metrics={f"time/{stage}": value for stage, value in card.timings.model_dump(by_alias=True).items()},
        # MLflow shows a note as the run's description.
        tags={"mlflow.note.content": report_markdown(card) + _back(), **outcome(card)},
    )
    if version is not None:
        run.rename(f"{card.dataset.name} v{version} {card.hybrid.chosen}")
        # A champion that comes out once more keeps what was said when it was judged.
        if card.promotion.promoted or version != card.promotion.champion_version:
            describe(model, version, version_markdown(card))
    run.finish()
    return files


def _back() -> str:
    url = _flow_run_url()
    return f"\nFlow run: [{flow_run.name}]({url})\n" if url else ""


def _picture(figure: "Figure", name: str) -> str:
    """A figure inside Markdown: Prefect's pages load nothing from a run's folders."""
    return f"![{name}](data:image/png;base64,{base64.b64encode(png(figure)).decode()})"
