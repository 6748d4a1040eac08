"""The rows: one comparison a module."""
