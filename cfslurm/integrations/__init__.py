"""Agent frameworks and tensor libraries on a session; each is imported only by who uses it."""
