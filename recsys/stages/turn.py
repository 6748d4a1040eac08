"""One training of a configuration at a time, whoever starts it: Prefect, cron or a person."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from recsys.config import Config

log = logging.getLogger("recsys.turn")


@contextmanager
def turn(config: Config) -> Iterator[None]:
    """Hold the trainings of a configuration's name in its store; wait while another process does.

    Two at once would search in the same studies and continue each other's MLflow runs. The lock goes with the process
    that holds it: after `kill -9` the next one has its turn.
    """
    # Not under work/, which forgetting a user empties.
    lock = FileLock(Path(config.store) / f".{config.name}.turn.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s: another training is running; this one waits for it to end", config.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
