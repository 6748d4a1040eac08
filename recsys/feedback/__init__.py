"""Feedback: what was shown and what was done about it, from lines of a file to a store that the loop learns from."""
