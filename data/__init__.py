"""The data path: from image files to batches of (L, ab)."""
