"""From files on a disk to batches of (L, ab)."""
