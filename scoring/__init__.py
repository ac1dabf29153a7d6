"""Evaluation of predicted colours, per photo and over whole sets of photos."""
