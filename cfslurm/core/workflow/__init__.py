"""What the user asked for: models, tasks, gangs, the order between them, sessions, an objective."""
