"""Ends the processes of a stack: at its end, and before the next start where it was killed."""

import signal
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "RECSYS_STACK"
"""In the environment of all that a stack starts, and so of all that these start: the folder of the stack."""
RUN, SUPERVISOR = "prefect.engine", "supervisor.supervisord"
"""Words of the command lines of a run, and of what watches all others."""
PATIENCE = 30
"""Seconds to end; the supervisor, which ends one service after the other, has as many for each."""


def end(folder: Path) -> int:
    """End what runs in the folder of a stack; how many processes there were.

    Runs come first, while there is a server to tell that they crashed: one that ends without a word looks as if it
    still ran. A worker that ends kills its own without a word.
    """
    found = _running(folder)
    _stop([one for one in found if _is(one, RUN)], PATIENCE)
    supervisors = [one for one in found if _is(one, SUPERVISOR)]
    _stop(supervisors, PATIENCE * len(found))
    # A supervisor that was killed has ended nothing.
    _stop(_running(folder), PATIENCE)
    _stop(_postmaster(folder / "database"), PATIENCE, signal.SIGINT)
    return len(found)


def _running(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended meanwhile, or is somebody else's
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _postmaster(data: Path) -> list[psutil.Process]:
    """PostgreSQL writes over its environment, but tells its number; its other processes end with it."""
    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        if Path(process.cwd()) == data.resolve():
            return [process]
    return []


def _is(process: psutil.Process, word: str) -> bool:
    with suppress(psutil.Error):
        return word in process.cmdline()
    return False


def _stop(processes: list[psutil.Process], patience: float, by: int = signal.SIGTERM) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(by)
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)
