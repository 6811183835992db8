"""Sessions: the layout of a session file, and what to do when an attempt ends."""
