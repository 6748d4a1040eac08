"""Ours and the peer in turn, so that what slows the machine down meets both."""

from collections.abc import Callable
from typing import TypeVar

Ours, Theirs = TypeVar("Ours"), TypeVar("Theirs")


def alternate(runs: int, ours: Callable[[int], Ours], peer: Callable[[int], Theirs]) -> tuple[list[Ours], list[Theirs]]:
    """Results of ours, peer, ours, peer, …; both are told the number of the run, from 0: a seed."""
    first: list[Ours] = []
    second: list[Theirs] = []
    for run in range(runs):
        first.append(ours(run))
        second.append(peer(run))
    return first, second


def versions(ours: dict[str, str], peer: dict[str, str]) -> dict[str, str]:
    """Packages of both sides, which have environments of their own."""
    return peer | {f"{package} (ours)": number for package, number in ours.items()}
