"""How the seconds of a search are shared: evenly over the candidates to come, what one leaves going to the rest."""

from dataclasses import dataclass


@dataclass
class Budget:
    """Seconds for the candidates of a run.

    >>> budget = Budget(seconds=60, candidates=3)
    >>> budget.share()
    20.0
    >>> budget.spend(4.0)
    >>> budget.share()
    28.0
    """

    seconds: float
    candidates: int

    def share(self) -> float:
        """Seconds of the next candidate."""
        return max(0.0, self.seconds) / max(1, self.candidates)

    def spend(self, seconds: float) -> None:
        """A candidate is done."""
        self.seconds -= seconds
        self.candidates -= 1
