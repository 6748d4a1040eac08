"""The peers: one script each, run in .venv-bench, which knows nothing of recsys."""
