"""MultiVAE of RecBole with its own training loop, watched after every epoch.

All settings are RecBole's defaults (properties/model/MultiVAE.yaml and properties/overall.yaml of the package: hidden
layer 600, latent 128, dropout 0.5, β up to 0.2 over 200,000 steps, Adam 1e-3, 2048 users a batch, 300 epochs,
stopped after 10 without a new best) but for those in `task.params["config"]`: of users a batch, the row tries a
smaller number as well, because 2048 is one step an epoch on a set of a thousand users. `task.params` also holds, beside
what `bench.watch` reads, `epochs`, at most, and `seed`.
"""

import tempfile
import warnings
from contextlib import chdir
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

# RecBole 1.2.1 asks for names that NumPy 2 no longer has.
np.float_, np.complex_, np.unicode_ = np.float64, np.complex128, np.str_

from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataloader.user_dataloader import UserDataLoader
from recbole.model.general_recommender.multivae import MultiVAE
from recbole.trainer import Trainer
from recbole.utils import init_seed

from bench.exchange import NO_ITEM, Fit, Task, best_unseen, main
from bench.watch import Watch

LOG = "log"
BLOCK = 500
"""Users scored at a time."""


def run(task: Task) -> Fit:
    """Warm up, fit, make lists after each epoch with the model's own scores."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(task.threads)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # RecBole writes to where it runs
        _Training(_Log(task.sample(), Path(folder, "warm"))).epoch(0)
        log = _Log(task, Path(folder, "fit"))
        init_seed(task.params["seed"], reproducibility=False)
        watch = Watch(task)
        training = _Training(log)
        for epoch in range(task.params["epochs"]):
            training.epoch(epoch)
            if watch.epoch(training.lists, training.model.state_dict):
                break
        restore = training.model.load_state_dict
        return watch.fit(training.lists, restore, "recbole", "torch", "numpy", "scipy")


class _Log:
    """A task's log as RecBole reads it, from a file."""

    def __init__(self, task: Task, folder: Path) -> None:
        path = folder / LOG / f"{LOG}.inter"
        path.parent.mkdir(parents=True)
        pairs = np.stack((task.user, task.item), 1)
        np.savetxt(path, pairs, "%d", "\t", header="user_id:token\titem_id:token", comments="")
        here = {"data_path": str(folder), "checkpoint_dir": str(folder), "load_col": {"inter": ["user_id", "item_id"]}}
        quiet = {"use_gpu": False, "state": "ERROR", "show_progress": False}
        self.config = Config("MultiVAE", LOG, config_dict={**here, **quiet, **task.params.get("config", {})})
        self.data = create_dataset(self.config)
        self.data.build()  # brings the events into RecBole's own type; its split is not used
        numbers = np.arange(1, self.data.item_num)  # number 0 is padding
        self.items = self.data.id2token(self.data.iid_field, numbers).astype(np.int32)


class _Training:
    """RecBole's model and trainer."""

    def __init__(self, log: _Log) -> None:
        self.log, self.model = log, MultiVAE(log.config, log.data)
        self.trainer = Trainer(log.config, self.model)
        self.batches = UserDataLoader(log.config, log.data, None, shuffle=True)

    def epoch(self, number: int) -> None:
        """The inner loop of `Trainer.fit`, whose evaluation would be RecBole's own."""
        self.trainer._train_epoch(self.batches, number)

    @torch.no_grad()
    def lists(self, task: Task) -> np.ndarray:
        """[U, DEPTH] int32, from the histories in place of those that the model was made with."""
        model = self.model.eval()
        made_with = model.history_item_id, model.history_item_value
        seen = task.matrix()[task.users][:, self.log.items]
        parts = []
        for start in range(0, len(task.users), BLOCK):
            block = seen[start : start + BLOCK]
            model.history_item_id, model.history_item_value = _padded(block)
            rows = torch.arange(block.shape[0])
            scores = model.full_sort_predict({self.log.data.uid_field: rows}).view(len(rows), -1)
            best = best_unseen(scores[:, 1:].numpy(), block)
            parts.append(np.where(best == NO_ITEM, NO_ITEM, self.log.items[best]))
        model.history_item_id, model.history_item_value = made_with
        return np.concatenate(parts)


def _padded(seen: sparse.csr_matrix) -> tuple[torch.Tensor, torch.Tensor]:
    """Histories as the model keeps them: numbers of items and ones, each [B, longest], padded with 0."""
    lengths = np.diff(seen.indptr)
    real = np.arange(lengths.max()) < lengths[:, None]
    numbers = np.zeros(real.shape, np.int64)
    numbers[real] = seen.indices + 1
    return torch.from_numpy(numbers), torch.from_numpy(real.astype(np.float32))


if __name__ == "__main__":
    main(run)
