"""Tools to test that steps are lazy and that chunked equals whole; usable by others' tests too."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import NDArray


@contextmanager
def nothing_computes() -> Iterator[None]:
    """Raise as soon as Dask is asked to compute anything inside the block."""
    import dask

    def refuse(dsk: Any, _keys: Any, **_: Any) -> Any:
        msg = f"a graph of {len(dsk)} tasks was computed while a lazy graph was being built"
        raise AssertionError(msg)

    with dask.config.set(scheduler=refuse):
        yield


def random_chunks(
    shape: tuple[int, int], smallest: int, seed: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cut both sides into random pieces of at least ``smallest`` cells (one piece if the side is short)."""
    rng = np.random.default_rng(seed)

    def cut(size: int) -> tuple[int, ...]:
        pieces = []
        left = size
        while left >= 2 * smallest and rng.random() < 0.9:
            take = int(rng.integers(smallest, left - smallest + 1))
            pieces.append(take)
            left -= take
        return (*pieces, left)

    return cut(shape[0]), cut(shape[1])


def hidden_discs(
    values: NDArray[np.floating], *, radius: tuple[float, float], discs: int = 150, seed: int = 0
) -> NDArray[np.bool_]:
    """Choose cells to hide from a map: discs apart from each other, with data in and all round them.

    Radii are drawn between the two given, in half cells; centres keep 20 cells from the edge of the map.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]]
    free, hidden = np.isfinite(values), np.zeros(values.shape, bool)
    for _ in range(20_000):
        size = int(rng.integers(round(2 * radius[0]), round(2 * radius[1]) + 1)) / 2
        row, col = (int(rng.integers(20, n - 20)) for n in values.shape)
        distance = (y - row) ** 2 + (x - col) ** 2
        around = distance <= (size + 4) ** 2
        if free[around].all():
            hidden |= distance <= size**2
            free &= ~around
            discs -= 1
            if not discs:
                break
    return hidden


def wavy_sea_floor(
    shape: tuple[int, int] = (96, 120), *, spacing: float = 0.02, seed: int = 0
) -> xr.DataArray:
    """Make a small anomaly for tests: stripes of 12 px striking N25E, noise of 20 nT, float32, nT.

    Not a forward model: see `magxr.synthetic` for that.
    """
    import xarray as xr

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = x * np.cos(np.radians(25.0)) - y * np.sin(np.radians(25.0))
    values: NDArray[np.float32] = (
        150 * np.sin(2 * np.pi * across / 12.0)
        + 60 * np.sin(2 * np.pi * across / 31.0)
        + rng.normal(0, 20, shape)
    ).astype(np.float32)
    return xr.DataArray(
        values,
        dims=("lat", "lon"),
        coords={
            "lat": ("lat", -40.0 + spacing * (np.arange(shape[0]) + 0.5), {"units": "degrees_north"}),
            "lon": ("lon", -110.0 + spacing * (np.arange(shape[1]) + 0.5), {"units": "degrees_east"}),
        },
        name="anomaly",
        attrs={"units": "nT", "registration": "pixel"},
    )
