"""`python -m bench [ROW …]`: measure rows, write their results, render the report."""

import argparse
import logging
import sys

from bench import report, results
from bench.results import Options
from bench.rows.table import NAMES, row
from bench.runner import FitError
from bench.sets import MissingSetError

log = logging.getLogger("bench")


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for; 1 where a fit failed."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    options = Options(given.runs, given.threads, given.trials, given.peer_seconds)
    chosen = given.sets.split(",") if given.sets else None
    failed = False
    for name in NAMES if not given.rows else [asked for asked in given.rows if asked != "report"]:
        of_row = row(name)
        for data in [one for one in of_row.SETS if not chosen or one in chosen]:
            title = f"{name} {data}".strip()
            if not given.rows and results.measured_here(name, data):
                log.info("%s: measured at this commit already", title)
                continue
            log.info("%s: begins", title)
            try:
                found = of_row.measure(data, options)
            except MissingSetError as error:
                log.warning("%s: left out: %s", title, error)
                continue
            except FitError as error:
                failed = True
                log.error("%s: failed: %s", title, error)
                continue
            results.save(found, options)
            for figure in found.figures:
                print(report.line(found, figure), flush=True)
    print(report.write(results.read_all()))
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    defaults = Options()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", choices=[*NAMES, "report"], metavar="ROW", help=f"{', '.join(NAMES)}; report"
    )
    parser.add_argument("--sets", help="only these data sets, separated by commas")
    parser.add_argument("--runs", type=int, default=defaults.runs, help="paired runs of what is timed")
    parser.add_argument("--threads", type=int, default=defaults.threads)
    parser.add_argument("--trials", type=int, default=defaults.trials, help="of a search, on each side")
    parser.add_argument("--peer-seconds", type=float, default=defaults.peer_seconds, help="a peer in epochs stops then")
    return parser


if __name__ == "__main__":
    sys.exit(main())
