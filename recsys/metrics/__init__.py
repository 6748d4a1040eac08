"""Ranking and beyond-accuracy metrics, and paired intervals."""
