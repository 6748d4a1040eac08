"""A recommender that scores from histories, fits hybrids, and judges itself; usable without any server."""

__version__ = "0.1.0"
