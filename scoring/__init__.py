"""Scores of colours: of each photo, and of a whole set of photos."""
