"""The batch flow: the champion's best items for everybody, as files."""

from pathlib import Path

from prefect import flow

from flows.form import ConfigPath, Folder, Items, ModelUri, Overrides, answered
from recsys.config import load
from recsys.stages.batch import Batch
from tasks.batch import recommend_all
from tasks.publish import entitle


@flow(name="batch_recommend", flow_run_name="batch_recommend {config}")
@answered
def batch_recommend(
    config: ConfigPath, overrides: Overrides = (), k: Items = 20, out: Folder = None, model: ModelUri = None
) -> tuple[Batch, Path, bool]:
    """Answer everybody, in parts; a batch that was killed goes on, a finished one is found again.

    Args:
        config: path of a TOML file.
        overrides: `section.key=value` changes of it, such as `tuning.trials=20`; configs/own-data.toml has every key.
        k: items an answer has.
        out: folder for the batches; default: a folder of the model's name under `recommendations` in the store.
        model: URI of the version that answers; default: the champion.
    """
    settings = load(config, overrides)
    entitle(f"batch_recommend {settings.name}, {model or settings.model_name}")
    return recommend_all(settings, k, out, model)
