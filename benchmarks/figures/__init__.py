"""The pages and pictures under docs/, from what was measured."""
