"""`python -m bench [ROW …]`: measure rows, write their results, render the report."""

import argparse
import logging
import signal
import sys

from bench import report, results, sets
from bench.results import Options, Result
from bench.rows.table import NAMES, row
from bench.runner import FitError
from bench.sets import MissingSetError

log = logging.getLogger("bench")

REPORT = "report"
"""Asked for instead of a row: renders what was measured."""


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for; 1 where a fit failed."""
    given = _parser().parse_args(arguments)
    # In the background of a shell, it and the servers it starts would not hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    options = Options(given.runs, given.threads, given.trials, given.peer_seconds)
    asked = [(name, data) for name in given.rows or NAMES if name != REPORT for data in row(name).SETS]
    failed = False
    for name, data in asked:
        if given.sets and data not in given.sets:
            continue
        try:
            found = _measure(name, data, options, again=bool(given.rows))
        except MissingSetError as error:
            log.warning("%s %s: left out: %s", name, data, error)
        except FitError as error:
            failed = True
            log.error("%s %s: failed: %s", name, data, error)
        else:
            for figure in found.figures:
                print(report.line(found, figure), flush=True)
    print(report.write(results.read_all()))
    return int(failed)


def _measure(name: str, data: str, options: Options, again: bool) -> Result:
    """A row on a set: measured and saved, or unless `again` as this code measured it before."""
    found = None if again else results.current(name, data)
    if found is not None:
        log.info("%s %s: measured by this code before", name, data)
        return found
    log.info("%s %s: begins", name, data)
    found = row(name).measure(data, options)
    results.save(found, options)
    return found


def _parser() -> argparse.ArgumentParser:
    defaults = Options()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", type=_row, metavar="ROW", help=f"{', '.join(NAMES)}; {REPORT}")
    parser.add_argument("--sets", type=_sets, help="only these data sets, separated by commas")
    parser.add_argument("--runs", type=int, default=defaults.runs, help="paired runs of what is timed")
    parser.add_argument("--threads", type=int, default=defaults.threads)
    parser.add_argument("--trials", type=int, default=defaults.trials, help="of a search, on each side")
    parser.add_argument("--peer-seconds", type=float, default=defaults.peer_seconds, help="a peer in epochs stops then")
    return parser


def _row(name: str) -> str:
    if name not in (*NAMES, REPORT):
        raise argparse.ArgumentTypeError(f"unknown: {name}; there are {', '.join(NAMES)} and {REPORT}")
    return name


def _sets(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(sets.NAMES):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sets.NAMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
