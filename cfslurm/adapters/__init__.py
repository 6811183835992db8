"""The imperative shell: one foreign thing per file, everything else speaks our types."""
