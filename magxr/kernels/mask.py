"""What of a block takes part: valid pixels, open cells, and the weights of means over what is left.

Gaussian means near gaps are normalised convolutions (Knutsson and Westin 1993) with weights made once for all
steps. A barrier shuts cells: nothing flows through them, and no gradient is taken where the smoothing of the
anomaly reaches across them, so that a step between two surveys is not taken for a stripe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT, TRUNCATE, gaussian_taps, taps_by_row
from magxr.kernels.gradient import CELL, PIXEL, WIDE
from magxr.kernels.weights import reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.metric import Metric


class Mask(NamedTuple):
    """What takes part, in the dtype of the data; arrays of one value where everything does."""

    masked: bool
    """Whether anything does not."""
    valid: NDArray[np.bool_] | None
    """Pixels that are finite, None if all are."""
    weight: NDArray[Any]
    """What the Gaussian sum over valid pixels is multiplied by to be their mean; 0 in gaps."""
    seen: NDArray[Any]
    """1 in cells whose gradient counts, 0 near barriers; one value without barriers."""
    open: NDArray[Any]
    """What the Gaussian sum over gradients that count is multiplied by; 0 where nothing may flow."""


def make_mask(
    u: NDArray[Any],
    sigma: float,
    rho: float,
    metric: Metric,
    *,
    shut: NDArray[np.bool_] | None = None,
    kind: int = CELL,
    truncate: tuple[float, float] = (TRUNCATE, TRUNCATE),
) -> Mask:
    """Say what of a block takes part.

    Parameters
    ----------
    u : ndarray, shape (n, m)
        Anomaly; cells that are not finite are gaps.
    sigma, rho : float
        Noise scale and integration scale, heights of a pixel.
    metric : Metric
        Of the rows of ``u``.
    shut : ndarray of bool, shape (n + 1, m + 1), optional
        Cells that a barrier runs through, from the one across the south-western corner on.
    kind : int
        Which gradient the tensor is made of; barriers are for `CELL` only.
    truncate : (float, float)
        Where the Gaussians of sigma and rho are cut, standard deviations.
    """
    one = np.ones((1, 1), u.dtype)
    valid = np.isfinite(u)
    gaps = not valid.all()
    barred = shut is not None and bool(shut.any())
    if not gaps and not barred:
        return Mask(False, None, one, one, one)
    fine = taps_by_row(sigma, metric.pixels, truncate[0])
    weight = reciprocal(valid, gaussian_taps(sigma, truncate[0]), fine, u.dtype, cells=False)
    np.copyto(weight, 0, where=~valid)
    found = valid if gaps else None
    if kind == WIDE:
        return Mask(True, found, weight, one, one)
    free = _around_pixels(valid) if kind == PIXEL else _corners(valid)
    seen = free
    if barred and shut is not None:
        radii = np.array([_radius(row) for row in taps_by_row(sigma, metric.cells, truncate[0])])
        free = free & ~shut
        seen = free & ~spread(shut, radii, gaussian_taps(sigma, truncate[0]).size - 1)
    coarse = taps_by_row(rho, metric.cells, truncate[1])
    opened = reciprocal(seen, gaussian_taps(rho, truncate[1]), coarse, u.dtype, cells=kind == CELL)
    if barred:
        # Open, but without any gradient in reach: the sum is 0, whatever it is multiplied by.
        opened[opened == 0] = 1
    np.copyto(opened, 0, where=~free)
    return Mask(True, found, weight, seen.astype(u.dtype) if barred else one, opened)


def _corners(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which cells, edge cells included, have four valid corners, shape (n + 1, m + 1)."""
    around = np.pad(valid, 1, mode="symmetric")
    four: NDArray[np.bool_] = around[1:, 1:] & around[:-1, 1:] & around[1:, :-1] & around[:-1, :-1]
    return four


def _around_pixels(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which pixels have 3 x 3 valid pixels around them, shape (n, m)."""
    four = _corners(valid)
    nine: NDArray[np.bool_] = four[1:, 1:] & four[:-1, 1:] & four[1:, :-1] & four[:-1, :-1]
    return nine


def _radius(taps: NDArray[np.float64]) -> int:
    """Return how far half a kernel reaches, without the zeros that fill it up."""
    return int(np.flatnonzero(taps)[-1])


@njit(**STRICT)
def spread(shut: NDArray[np.bool_], along: NDArray[np.int64], down: int) -> NDArray[np.bool_]:
    """Tell which cells have a shut one within ``down`` rows and ``along`` columns (by row, or for all)."""
    n, m = shut.shape
    rows = np.zeros((n, m), np.bool_)
    for i in range(n):
        reach = along[i] if along.size > 1 else along[0]
        for j in range(m):
            if shut[i, j]:
                for k in range(max(0, j - reach), min(m, j + reach + 1)):
                    rows[i, k] = True
    out = np.zeros((n, m), np.bool_)
    for i in range(n):
        for k in range(max(0, i - down), min(n, i + down + 1)):
            for j in range(m):
                out[i, j] |= rows[k, j]
    return out
