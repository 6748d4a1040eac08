"""The gate: a pure decision whether a challenger replaces the champion, with its reasons in plain sentences."""

from recsys.promotion.evidence import COLD, METRIC, Evidence, Side
from recsys.promotion.gate import Verdict, judge, refuse
from recsys.promotion.guards import GuardResult

__all__ = ["COLD", "METRIC", "Evidence", "GuardResult", "Side", "Verdict", "judge", "refuse"]
