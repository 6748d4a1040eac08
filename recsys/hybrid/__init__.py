"""Combinations of candidates; each is itself a recommender."""
