"""Programs that measure, print a table and write JSON: `python -m benchmarks.NAME [--json=FILE]`."""
