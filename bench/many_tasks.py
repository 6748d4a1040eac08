"""A flow of trivial tasks on the server of PREFECT_API_URL, beside plain calls; settings come from the environment.

`python -m bench.many_tasks TASKS` prints, as JSON, seconds:
    plain: of one call of the function.
    task: of one call of it as a task, in a flow of TASKS.
    flow: of an empty flow.
    after: of an empty flow right after the tasks, while the server still writes down what came of them.
"""

import json
import sys
import time

from prefect import flow, task
from prefect.cache_policies import NO_CACHE


@task(cache_policy=NO_CACHE)
def trivial(number: int) -> int:
    """The next number."""
    return number + 1


@flow
def many(tasks: int) -> float:
    """Call so many tasks; the seconds they took."""
    begun = time.perf_counter()
    for number in range(tasks):
        trivial(number)
    return time.perf_counter() - begun


def main(tasks: int) -> dict[str, float]:
    """Measure, once the first flow has made the connections."""
    many(1)
    empty = _seconds_of_a_flow()
    begun = time.perf_counter()
    for number in range(tasks):
        trivial.fn(number)
    plain = (time.perf_counter() - begun) / tasks
    return {"plain": plain, "task": many(tasks) / tasks, "flow": empty, "after": _seconds_of_a_flow()}


def _seconds_of_a_flow() -> float:
    begun = time.perf_counter()
    many(0)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
