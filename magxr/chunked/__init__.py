"""Dask arrays only: planning chunks, halos, exact statistics."""
