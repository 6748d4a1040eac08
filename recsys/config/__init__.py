"""The configuration: its sections, and how they are read."""

from recsys.config.reading import digest, load, parse
from recsys.config.sections import (
    CANDIDATES,
    HYBRIDS,
    BacktestSection,
    CandidateName,
    ColumnNames,
    Config,
    DataSection,
    HybridName,
    HybridSection,
    ModelsSection,
    PromotionSection,
    RetrainSection,
    Section,
    SplitSection,
    TuningSection,
    ValidationSection,
)

__all__ = [
    "CANDIDATES",
    "HYBRIDS",
    "BacktestSection",
    "CandidateName",
    "ColumnNames",
    "Config",
    "DataSection",
    "HybridName",
    "HybridSection",
    "ModelsSection",
    "PromotionSection",
    "RetrainSection",
    "Section",
    "SplitSection",
    "TuningSection",
    "ValidationSection",
    "digest",
    "load",
    "parse",
]
