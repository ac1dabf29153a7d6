"""Coloring photographs with a trained model."""
