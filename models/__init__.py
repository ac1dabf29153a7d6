"""Networks that predict colours, and their training objectives."""
