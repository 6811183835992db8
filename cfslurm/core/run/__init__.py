"""A run: what its directory holds, and what can be told from it."""
