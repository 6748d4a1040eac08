"""The configuration: its sections, and how they are read."""

from recsys.config.reading import digest, load, parse
from recsys.config.sections import (
    CANDIDATES,
    HYBRIDS,
    CandidateName,
    ColumnNames,
    Config,
    DataSection,
    HybridName,
    HybridSection,
    ModelsSection,
    PromotionSection,
    Section,
    SplitSection,
    TuningSection,
    ValidationSection,
)

__all__ = [
    "CANDIDATES",
    "HYBRIDS",
    "CandidateName",
    "ColumnNames",
    "Config",
    "DataSection",
    "HybridName",
    "HybridSection",
    "ModelsSection",
    "PromotionSection",
    "Section",
    "SplitSection",
    "TuningSection",
    "ValidationSection",
    "digest",
    "load",
    "parse",
]
