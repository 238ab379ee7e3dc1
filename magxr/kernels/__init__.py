"""Kernels on plain numpy arrays: they own the true edge and NaN, and know neither Dask nor labels."""
