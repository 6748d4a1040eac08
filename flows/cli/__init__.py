"""The flows from the command line, beside the commands of the library."""

from flows.cli import loop, operations, training  # their commands join those of the library
from recsys.cli import main as answer
from recsys.cli.app import app
from tasks import clock  # the clock of the process starts with this import

__all__ = ["app", "clock", "loop", "main", "operations", "training"]


def main() -> int:
    """All commands; exit codes as `recsys.cli.main` says."""
    return answer()
