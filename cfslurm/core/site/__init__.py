"""What the sysadmin said: GPU types, engines, storage, where to prefetch."""
