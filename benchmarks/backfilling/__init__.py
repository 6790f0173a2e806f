"""A backfill by workers: the source that they read."""
