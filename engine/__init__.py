"""Training: the loop, its step, and what is measured and kept."""
