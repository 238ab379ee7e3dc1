"""What the structure tensor of a block is made of: the anomaly, its weights near gaps, and the filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.kernels import pages
from magxr.kernels.fir import TRUNCATE, gaussian_taps, padded, taps_by_row, unfolded
from magxr.kernels.gradient import CELL
from magxr.kernels.mask import Mask, make_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.metric import Metric


class Taps(NamedTuple):
    """Filters in the dtype of the data, padded for the unrolled loops."""

    down: NDArray[Any]
    """Half the Gaussian of sigma, times the factor that makes gradients dimensionless."""
    along: NDArray[Any]
    """Half the Gaussian of sigma, for every row of pixels or one for all."""
    rho_along: NDArray[Any]
    """Half the Gaussian of rho, for every row of the tensor from -1 on or one for all."""
    rho_down: NDArray[Any]
    """The whole Gaussian of rho between zeros."""


class Field(NamedTuple):
    """What the tensor is made of."""

    values: NDArray[Any]
    """Anomaly with 0 in gaps, shape (n, m)."""
    weight: NDArray[Any]
    """What a Gaussian sum of pixels is multiplied by, 0 in gaps, shape (n, m); one value without gaps."""
    seen: NDArray[Any]
    """1 in cells whose gradient counts, 0 near barriers, shape (n + 1, m + 1); one value without barriers."""
    stretch: NDArray[Any]
    """Factor on the gradient along a row, by row of cells from -1 on, shape (n + 1,)."""
    masked: bool
    """Whether there are gaps or barriers."""
    kind: int
    """Which gradient: `CELL`, `WIDE` or `PIXEL`."""


def make_taps(
    sigma: float,
    rho: float,
    dtype: np.dtype[Any],
    metric: Metric,
    *,
    factor: float = 1.0,
    truncate: tuple[float, float] = (TRUNCATE, TRUNCATE),
    half: bool = True,
) -> Taps:
    """Return the filters for gradients multiplied by ``factor`` (1/nT).

    A cell's gradient is the mean of two differences: with ``half`` the half goes into the taps, for nothing.
    """
    first = 0.5 * factor if half else factor
    coarse = padded(gaussian_taps(rho, truncate[1]), dtype)
    return Taps(
        padded(first * gaussian_taps(sigma, truncate[0]), dtype),
        padded(taps_by_row(sigma, metric.pixels, truncate[0]), dtype),
        padded(taps_by_row(rho, metric.cells, truncate[1]), dtype),
        unfolded(coarse),
    )


def make_field(
    u: NDArray[Any],
    sigma: float,
    rho: float,
    metric: Metric,
    *,
    shut: NDArray[np.bool_] | None = None,
    kind: int = CELL,
    truncate: tuple[float, float] = (TRUNCATE, TRUNCATE),
) -> tuple[Field, Mask]:
    """Prepare a block: fill its gaps with 0 and weigh what is left."""
    mask = make_mask(u, sigma, rho, metric, shut=shut, kind=kind, truncate=truncate)
    values = pages.copied(u)
    if mask.valid is not None:
        np.copyto(values, 0, where=~mask.valid)
    stretch = metric.cells.astype(u.dtype)
    return Field(values, mask.weight, mask.seen, stretch, mask.masked, kind), mask
