"""Readers of weights files, one module a format. None of them runs what a file says."""
