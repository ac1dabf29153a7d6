"""Networks that predict colours, and what each of them learns from."""
