"""The hybrids by name: a new one is one file and one line here."""

from recsys.hybrid.base import Hybrid
from recsys.hybrid.cascade import Cascade
from recsys.hybrid.stacking import Stacking
from recsys.hybrid.switching import Switching
from recsys.hybrid.weighted import Weighted

TABLE: dict[str, type[Hybrid]] = {hybrid.name: hybrid for hybrid in (Weighted, Cascade, Stacking, Switching)}
