"""An experiment by its name, and what its page says before anybody has arranged it."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from recsys.errors import InputError
from recsys.tracking.patience import shown_at
from recsys.tracking.store import artifact_location, client, counted, lock

KIND, NOTE, VIEW = "mlflow.experimentKind", "mlflow.note.content", "mlflow.sharedViewState."
"""Tags of an experiment that MLflow's pages read."""
NAME_OF_VIEW: Final = "recsys"
"""In the address of the view, and in its tag."""


def find_or_make(name: str) -> str:
    """Id of an experiment.

    Raises:
        InputError: it was deleted.
    """
    with lock("experiment"):
        found = client().get_experiment_by_name(name)
        if found is None:
            # MLflow's pages then open on training runs, not on traces of language models.
            kind = {KIND: "custom_model_development"}
            return str(client().create_experiment(name, artifact_location=artifact_location(), tags=kind))
    if found.lifecycle_stage == "deleted":
        raise InputError(
            f"the MLflow experiment {name!r} was deleted; bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or choose another name"
        )
    return str(found.experiment_id)


def introduce(
    name: str, about: str, title: str, columns: Mapping[str, int], charts: Mapping[str, Sequence[str]], wanted: str
) -> str | None:
    """Describe an experiment and save a view of its runs, unless a person has; gives the view's address.

    Args:
        name: of the experiment.
        about: description, in Markdown; `{link}` becomes a link to the view.
        title: of the view.
        columns: as MLflow's search calls them, with their widths in pixels; by the first, runs are sorted.
        charts: section -> metrics to draw in it; a metric that no run has is not drawn.
        wanted: which runs, in the language of MLflow's search.

    Returns:
        Address of the view; none where no server shows it.
    """
    with counted():
        experiment = find_or_make(name)
        known = client().get_experiment(experiment).tags
        page = f"#/experiments/{experiment}/runs?viewStateShareKey={NAME_OF_VIEW}"
        texts = {
            NOTE: about.format(link=f"[{title}]({page})"),
            VIEW + NAME_OF_VIEW: _view(title, columns, charts, wanted),
        }
        for tag in texts.keys() - known.keys():
            client().set_experiment_tag(experiment, tag, texts[tag])
    address = shown_at()
    return address and f"{address}/{page}"


def _view(title: str, columns: Mapping[str, int], charts: Mapping[str, Sequence[str]], wanted: str) -> str:
    """As the pages themselves save one."""
    by_hand = {"deleted": False, "isGenerated": False}
    bar = by_hand | {"type": "BAR", "runsCountToCompare": 10}
    state = {
        "searchFilter": wanted,
        "orderByKey": next(iter(columns)),
        "orderByAsc": False,
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": dict(columns),
        "isAccordionReordered": True,  # or sections stand in the order of their names
        "compareRunSections": [
            by_hand | {"uuid": section, "name": section, "display": True, "isReordered": False} for section in charts
        ],
        "compareRunCharts": [
            bar | {"uuid": metric, "metricKey": metric, "metricSectionId": section}
            for section, metrics in charts.items()
            for metric in metrics
        ],
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return json.dumps({"name": title, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"})
