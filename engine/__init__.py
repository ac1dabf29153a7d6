"""Training: loop, optimization step, validation and history."""
