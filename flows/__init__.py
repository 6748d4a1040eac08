"""Prefect flows that read like a to-do list."""
