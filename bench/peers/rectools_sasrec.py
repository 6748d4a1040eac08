"""SASRec of RecTools with sampled softmax, watched after every epoch by a callback of its Lightning trainer.

What its team publishes for SASRec with this loss (github.com/blondered/transformer_benchmark: the table
"Hyperparameters for all datasets" and configs/paper/loo; paper: arXiv 2508.06450) stands in `bench/rows/sasrec.py`
and comes in `task.params`, which holds, beside what `bench.watch` reads:
    model: arguments of SASRecModel.
    epochs: at most.
    seed: of torch and numpy.
What is published nowhere keeps the defaults of RecTools, among them batch_size 128 and Adam's betas.
"""

import logging
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import LambdaCallback
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

from bench.exchange import DEPTH, NO_ITEM, Fit, Task, main
from bench.watch import Watch

LOSS = "sampled_softmax"


def run(task: Task) -> Fit:
    """Warm up, fit, make lists after each epoch with the model's own `recommend`."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(task.threads)
    _model(task, 1, LambdaCallback()).fit(_events(task.sample()))
    seed_everything(task.params["seed"])
    data = _events(task)

    @lru_cache(maxsize=1)
    def histories(of: Task) -> Dataset:
        return _events(of, np.isin(of.user, of.users))

    def lists(of: Task) -> np.ndarray:
        found = model.recommend(of.users, histories(of), k=DEPTH, filter_viewed=True, on_unsupported_targets="ignore")
        top = np.full((of.n_users, DEPTH), NO_ITEM, np.int32)
        top[found[Columns.User], found[Columns.Rank] - 1] = found[Columns.Item]
        return top[of.users]

    def after_epoch(trainer: Trainer, module: torch.nn.Module) -> None:
        model.is_fitted = True  # `recommend` asks for it; `fit` sets it when all epochs are over
        trainer.should_stop = watch.epoch(lists, module.torch_model.state_dict)
        module.train()

    model = _model(task, task.params["epochs"], LambdaCallback(on_train_epoch_end=after_epoch))
    watch = Watch(task)
    model.fit(data)
    return watch.fit(lists, model.torch_model.load_state_dict, "rectools", "pytorch-lightning", "torch", "numpy")


def _model(task: Task, epochs: int, callback: LambdaCallback) -> SASRecModel:
    def trainer() -> Trainer:
        quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        return Trainer(max_epochs=epochs, accelerator="cpu", devices=1, callbacks=[callback], **quiet)

    params: dict[str, Any] = task.params["model"]
    return SASRecModel(loss=LOSS, get_trainer_func=trainer, recommend_torch_device="cpu", **params)


def _events(task: Task, which: np.ndarray | slice = slice(None)) -> Dataset:
    """Events with their place in the log for a time: RecTools orders histories by it."""
    place = pd.to_datetime(np.arange(len(task.user)), unit="s")
    columns = {Columns.User: task.user, Columns.Item: task.item, Columns.Datetime: place, Columns.Weight: 1.0}
    return Dataset.construct(pd.DataFrame(columns)[which])


if __name__ == "__main__":
    main(run)
