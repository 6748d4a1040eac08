"""The gate: a pure decision whether a challenger replaces the champion, with its reasons in plain sentences."""

from recsys.promotion.evidence import COLD, METRIC, Evidence, Side
from recsys.promotion.gate import LOST, Verdict, judge, refuse
from recsys.promotion.guards import GuardResult

__all__ = ["COLD", "LOST", "METRIC", "Evidence", "GuardResult", "Side", "Verdict", "judge", "refuse"]
