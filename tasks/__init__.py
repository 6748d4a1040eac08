"""Thin Prefect tasks round library calls."""
