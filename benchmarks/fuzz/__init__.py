"""Damaged files: nothing but a picture or a line."""
