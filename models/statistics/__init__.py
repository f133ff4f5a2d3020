"""Exact sums, windows and formulas: only computes."""
