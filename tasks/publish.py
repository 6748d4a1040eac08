"""What a run page shows: one artifact a stage, and the report at the end."""

from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from recsys.report.markdown import leaderboard_markdown, report_markdown, verdict_markdown, weights_markdown
from recsys.report.scorecard import Scorecard
from recsys.report.wording import choice_line, dataset_line, headline
from recsys.report.write import write_report
from recsys.tracking import Run


def note(stage: str, markdown: str, gist: str, reused: bool = False) -> None:
    """An artifact on the page of the current run; `gist` is its description in lists."""
    remark = "*Unchanged since an earlier run, re-used.*\n\n" if reused else ""
    create_markdown_artifact(remark + markdown, key=stage, description=gist)


@task(cache_policy=NO_CACHE)
def publish(card: Scorecard, histories: dict[str, list[float]], per_user: Path, folder: Path, run: Run) -> list[Path]:
    """Write the report, and put the same on the run page and into MLflow."""
    files = write_report(card, folder, histories=histories, per_user=per_user)
    note("leaderboard", leaderboard_markdown(card), dataset_line(card))
    note("hybrid-weights", weights_markdown(card), f"{card.hybrid.chosen}, {choice_line(card.hybrid)}")
    note("promotion", verdict_markdown(card), headline(card.promotion))
    for path in files:
        run.artifact(path, "report")
    run.log(
        metrics={f"seconds/{stage}": value for stage, value in card.timings.model_dump(by_alias=True).items()},
        tags={"mlflow.note.content": report_markdown(card)},  # MLflow shows it as the run's description
    )
    run.finish()
    return files
