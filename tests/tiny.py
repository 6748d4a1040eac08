"""A configuration that trains in seconds: two candidates on a small generated log."""


def config(name: str, trials: int, *, top: str = "", more: str = "") -> str:
    """TOML; `top` stands before the first section, `more` behind the last."""
    return f"""
name = "{name}"
{top}
[data]
source = "synthetic?users=150&items=60&events=3000&communities=4"
[split]
method = "leave_last"
[models]
candidates = ["popularity", "ease"]
device = "cpu"
[tuning]
trials = {trials}
[hybrid]
methods = ["weighted"]
folds = 2
{more}
"""
