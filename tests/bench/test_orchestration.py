"""What orchestration costs, measured on a server of the tests."""

from bench.results import Options
from bench.rows.orchestration import cost

TINY = {
    "data": {"source": "synthetic?users=150&items=60&events=3000&communities=4"},
    "split": {"method": "leave_last"},
    "models": {"candidates": ["popularity", "ease"]},
    "tuning": {"trials": 1},
    "hybrid": {"methods": ["weighted"], "folds": 2},
}


def test_tasks_and_a_run_are_timed(prefect_server, tmp_path):
    figures = cost("SQLite", prefect_server.url, tmp_path, 20, TINY, Options(runs=1, threads=1))
    task, empty, after, run, share = figures
    assert task.note.startswith("a call, µs: ")
    assert 0 < task.value < 1000 * run.value
    assert 0 < empty.value < run.value
    assert after.what == "SQLite: an empty flow after 20 tasks"
    assert 0 < share.value < 100
