"""Synthetic sea floor with known truth."""
