"""Ranking, beyond-accuracy and rating metrics, and paired intervals."""
