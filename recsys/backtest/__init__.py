"""Replay a log period by period: what the loop is worth beside never and always retraining."""
