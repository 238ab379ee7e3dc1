"""By-products of steps that are known only after computing: filled in, and copied into attrs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.io.places import address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_MOST = 1024
"""Longest by-product (a spectrum, say) that is copied into attrs; longer ones stay coordinates only."""


def fill_in(path: Path, values: Mapping[str, NDArray[Any]]) -> None:
    """Write by-products (fences, a rank, a spectrum) of a store in which they were laid out empty."""
    import zarr

    where, how = address(path)
    group: Any = zarr.open_group(where, mode="r+", **how)
    for name, array in values.items():
        group[name][...] = array


def copy_byproducts(path: Path) -> None:
    """Copy by-products that are known only after computing into the attrs of the variables they belong to."""
    import zarr

    where, how = address(path)
    with xr.open_dataset(where, engine="zarr", consolidated=False, chunks=None, **how) as ds:
        known = {
            c: (set(v.dims), _plain(v.values))
            for c, v in sorted(
                ds.coords.items(), key=lambda item: str(item[0])
            )  # folders list arrays in any order
            if c not in ds.indexes and c != "spatial_ref" and v.ndim <= 1 and v.size <= _MOST
        }
        found = {
            name: {str(c): value for c, (dims, value) in known.items() if not dims & set(v.dims)}
            for name, v in ds.data_vars.items()
        }
    group = zarr.open_group(where, mode="r+", **how)
    for name, values in found.items():
        if values:
            group[str(name)].attrs.update(values)


def _plain(values: np.ndarray[Any, Any]) -> Any:
    """Return numbers and text as JSON has them; what JSON has not (NaN, infinity) as text."""
    plain = values.tolist()
    text = json.dumps(plain, default=str)
    if "NaN" in text or "Infinity" in text:
        return [_said(v) for v in np.ravel(values).tolist()] if values.ndim else _said(plain)
    return json.loads(text)


def _said(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
