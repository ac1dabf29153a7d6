"""Coloring of clips, with colours that are steady from frame to frame."""
