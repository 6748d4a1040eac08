"""What of the verdict becomes metrics in MLflow."""

from recsys import tracking
from recsys.stages import evaluate
from recsys.stages.hybrids import Chosen
from recsys.stages.promote import Promotion
from recsys.tracking import client
from tasks.track import log_promotion


def test_a_gain_without_bounds_is_logged_without_them(store):
    outcome = Chosen(
        key="k", folder="", members=("als",), chosen="weighted", weights={"weighted": {"als": 1.0}},
        cross_validated={"weighted": 0.4}, ablation={}, validation={"als": {"ndcg@10": 0.3}},
    )  # fmt: skip
    models = ("als", "weighted")
    tested = evaluate.Tested(
        folder="", metrics={name: {"ndcg@10": 0.5} for name in models},
        intervals={name: {"ndcg@10": (0.0, 1.0)} for name in models}, segments={name: {} for name in models},
    )  # fmt: skip
    said = {"promoted": False, "reasons": ("no",), "champion": None, "version": 1, "serving": "all events"}
    for gain, logged in (((0.2, None, None), {""}), ((0.2, 0.1, 0.3), {"", ".low", ".high"})):
        run = tracking.start("toy", f"{gain}", {"role": "pipeline"})
        log_promotion(Promotion(gain=gain, **said), outcome, tested, run)
        run.finish()
        metrics = client().get_run(run.id).data.metrics
        assert {name for name in metrics if ".gain" in name} == {f"test/ndcg_at_10.gain{end}" for end in logged}
