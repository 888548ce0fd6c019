"""Scores in, something to print or to write out. Chooses words and widths; computes no scores."""
