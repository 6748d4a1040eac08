"""How the seconds of a search are shared: a part evenly, the rest by what a candidate earns in the hybrid."""

from collections.abc import Iterable, Mapping
from typing import Self

EVEN = 0.25
"""Part that is shared evenly whatever was earned: a starting point can be far off, and a candidate that looks useless
there needs a few trials to show better."""


class Budget:
    """Seconds for the candidates of a run; what one leaves goes to those after it.

    >>> budget = Budget(80, earned={"als": 0.25, "fm": 0.0, "sasrec": 0.75}, cost={"als": 1, "fm": 2, "sasrec": 9})
    >>> budget.order
    ['als', 'sasrec', 'fm']
    >>> round(budget.share("als"), 1)  # 80 · (0.25 / 3 + 0.75 · 0.25)
    21.7
    >>> budget.spend("als", 6.0)
    >>> round(budget.share("sasrec"), 1)
    65.5
    >>> budget.spend("sasrec", 66.0)
    >>> budget.share("fm")
    8.0
    """

    def __init__(
        self, seconds: float, earned: Mapping[str, float], cost: Mapping[str, float], least: float = 0.0
    ) -> None:
        """Take what each candidate earned (a share of the hybrid, 0 to 1) and the seconds of one trial of it.

        `least`: seconds that each gets in any case, whatever those before it have spent.
        """
        self.seconds, self.least = seconds, least
        self.earned = dict(earned)
        self.parts = {name: EVEN / len(earned) + (1 - EVEN) * share for name, share in earned.items()}
        self.order = sorted(earned, key=lambda name: cost[name] / self.parts[name])
        """Those whose part buys most trials first: what they leave goes to those who are short of time."""

    @classmethod
    def even(cls, seconds: float, candidates: Iterable[str]) -> Self:
        """The same for all, in their order, as long as nothing is known of them; nobody gets less.

        >>> budget = Budget.even(60, ["als", "fm", "ease"])
        >>> budget.spend("als", 55.0)
        >>> budget.share("fm")
        20.0
        """
        unknown = dict.fromkeys(candidates, 0.0)
        return cls(seconds, unknown, unknown, least=seconds / len(unknown))

    def share(self, name: str) -> float:
        """Seconds of a candidate: its part among those still to come, and `least` in any case."""
        return max(self.least, self.seconds * self.parts[name] / sum(self.parts.values()))

    def spend(self, name: str, seconds: float) -> None:
        """A candidate is done."""
        self.seconds -= seconds
        del self.parts[name]
