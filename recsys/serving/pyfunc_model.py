"""The MLflow model: MLflow runs this file (models from code) and asks `predict`; nothing of ours is pickled.

Input: a table with the columns `user_id` and `history` (a list of raw item ids, oldest first), or one of them; ids
are numbers or text, and a missing value means "not given". Parameters: `k` (10), `exclude_seen` (true). Over REST:

    POST /invocations
    {"dataframe_records": [{"user_id": 42}, {"user_id": "guest", "history": [50, 181]}], "params": {"k": 5}}

Output: one row a recommended item, `user_id item_id score rank source`, best first. A history without a `user_id`
is answered with an empty one: name your askers to tell their answers apart.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from recsys.data.schema import USER
from recsys.errors import InputError
from recsys.serving.bundle import Bundle
from recsys.serving.recommender import Engine

HISTORY = "history"


class RecommenderModel(mlflow.pyfunc.PythonModel):
    """An `Engine` behind MLflow's interface."""

    def load_context(self, context: Any) -> None:
        """Read the bundle among the artifacts."""
        self.engine = Engine(Bundle.load(Path(context.artifacts["bundle"])))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer each row of the input.

        Raises:
            InputError: neither column is there, k is below 1, or a history is no list.
        """
        users, histories = (model_input[name].tolist() if name in model_input else None for name in (USER, HISTORY))
        if users is None and histories is None:
            seen = ", ".join(map(str, model_input.columns)) or "none"
            raise InputError(f"the input needs a column {USER} or {HISTORY}; columns seen: {seen}")
        return self.engine.recommend(users, histories, **(params or {}))


mlflow.models.set_model(RecommenderModel())
