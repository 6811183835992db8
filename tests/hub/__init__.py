"""A real HTTP Hub on this machine, and made-up but real repositories to put into it."""
