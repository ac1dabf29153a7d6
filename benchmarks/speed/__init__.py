"""Seconds and bytes, beside another way or another checkout."""
