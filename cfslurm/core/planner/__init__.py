"""The planner: which variant, node class, parallelism and share for every group, and why."""
