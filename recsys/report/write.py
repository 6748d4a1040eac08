"""The report of a run as files: scorecard.json, leaderboard.md, the figures, and per_user.npz for comparisons."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from recsys.data.atomic import new_file
from recsys.report import figures
from recsys.report.markdown import report_markdown
from recsys.report.scorecard import Scorecard
from recsys.stages.evaluate import PER_USER

SCORECARD = "scorecard.json"
LEADERBOARD = "leaderboard.md"
FIGURES = ("leaderboard.png", "hybrid_weights.png", "tuning.png", "segments.png")


def write_report(
    card: Scorecard,
    folder: str | Path,
    *,
    histories: Mapping[str, Sequence[float]] | None = None,
    per_user: Path | None = None,
) -> list[Path]:
    """Write the report of a run in place of an earlier one; each file is whole or the old one.

    Args:
        card: of the run.
        folder: made where it is missing.
        histories: model -> validation metric of each finished trial, in order; without any there is no tuning.png.
        per_user: npz of test metrics by user, taken over as it is; without one there is none in the report.

    Returns:
        The files written, scorecard first.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tuned = {name: values for name, values in (histories or {}).items() if values}
    drawn = {
        "leaderboard.png": figures.leaderboard(card),
        "hybrid_weights.png": figures.hybrid_weights(card),
        "segments.png": figures.segments(card),
    }
    if tuned:
        drawn["tuning.png"] = figures.tuning(card, tuned)
    names = [name for name in FIGURES if name in drawn]
    # A file of an earlier run must not stand beside the scorecard of this one.
    for name in {*FIGURES, PER_USER} - set(names):
        (folder / name).unlink(missing_ok=True)
    content = {name: figures.png(drawn[name]) for name in names}
    others = [LEADERBOARD]
    if per_user is not None:
        others.append(PER_USER)
        content[PER_USER] = per_user.read_bytes()
    content[LEADERBOARD] = report_markdown(card, names).encode()
    content[SCORECARD] = card.to_json().encode()
    for name, data in content.items():
        with new_file(folder / name) as draft:
            draft.write_bytes(data)
    return [folder / name for name in (SCORECARD, *others, *names)]
