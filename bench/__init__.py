"""The bench: each family beside the best public implementation of its kind, on quality and cost."""
