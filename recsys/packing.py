"""A bundle as a model of MLflow: what a process needs to answer from it, anywhere."""

from importlib.metadata import version as installed
from pathlib import Path
from typing import Final

BUNDLE: Final = "bundle"
"""Name of the artifact that holds the bundle."""
PACKAGE: Final = Path(__file__).parent
PYFUNC: Final = PACKAGE / "serving" / "pyfunc_model.py"
"""A path, no import: MLflow copies this file into the model and runs it there."""
NEEDED: Final = ("mlflow", "numpy", "pandas", "pydantic", "scikit-learn", "scipy", "skops", "torch")
"""What a process needs to answer."""


def pack(bundle: Path, folder: Path) -> None:
    """Write it, with the package `recsys`; ids of any type, both columns optional, `k` and `exclude_seen` parameters.

    Args:
        bundle: folder that `recsys.serving.bundle.write_bundle` wrote.
        folder: where to.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, ParamSchema, ParamSpec, Schema

    asked = [ColSpec(AnyType(), name, required=False) for name in ("user_id", "history")]
    told = [ColSpec(AnyType(), name) for name in ("user_id", "item_id")]
    told += [ColSpec("float", "score"), ColSpec("long", "rank"), ColSpec("string", "source")]
    params = ParamSchema([ParamSpec("k", "long", 10), ParamSpec("exclude_seen", "boolean", True)])
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(PYFUNC),
        artifacts={BUNDLE: str(bundle)},
        code_paths=[str(PACKAGE)],
        signature=ModelSignature(Schema(asked), Schema(told), params),
        input_example={"user_id": ["guest"], "history": [[]]},
        # Local builds (2.13.0+cpu) have no package of that name to install.
        pip_requirements=[f"{name}=={installed(name).partition('+')[0]}" for name in NEEDED],
    )


def unpacked(folder: Path) -> Path:
    """Where the bundle lies in a model of MLflow that was downloaded."""
    from mlflow.models import Model

    flavor = Model.load(str(folder)).flavors["python_function"]
    return folder / str(flavor["artifacts"][BUNDLE]["path"])
