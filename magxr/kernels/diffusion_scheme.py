"""What stays the same from step to step of `magxr.kernels.diffusion_array`: filters and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.kernels import diffusion_cuda, diffusion_parts
from magxr.kernels.device import array_module
from magxr.kernels.fir import gaussian_taps
from magxr.kernels.mirrors import lines, window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Filter(NamedTuple):
    """Centre and one side of a Gaussian along either axis."""

    down: NDArray[Any]
    """Shape (radius + 1,)."""
    along: NDArray[Any]
    """Shape (radius + 1, 1), or (radius + 1, rows) where rows differ."""

    @property
    def radius(self) -> tuple[int, int]:
        """Rows and columns beside a pixel."""
        return len(self.down) - 1, len(self.along) - 1


class Scheme(NamedTuple):
    """What does not change from step to step."""

    parts: Any
    """The five functions of `magxr.kernels.diffusion_parts`, or others that do the same."""
    shape: tuple[int, int]
    """Of the block."""
    fine: Filter
    """Gaussian of sigma, by row of pixels, times what makes gradients dimensionless and halves them."""
    coarse: Filter
    """Gaussian of rho, by row of cells."""
    pixels: NDArray[Any] | None
    """What the smoothed anomaly must be multiplied by near gaps, shape (n, m)."""
    cells: NDArray[Any] | None
    """What the structure tensor must be multiplied by near gaps, 0 in cells at one, shape (n + 1, m + 1)."""
    stretch: NDArray[Any] | None
    cell_weight: NDArray[Any] | None
    pixel_weight: NDArray[Any] | None
    fixed: NDArray[Any] | None
    alpha: float
    contrast: float

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns beside the corners of a cell that its tensor is made of."""
        (a, b), (c, d) = self.fine.radius, self.coarse.radius
        return a + c, b + d


def make_scheme(
    valid: NDArray[Any],
    dtype: np.dtype[Any],
    *,
    gaussians: Sequence[tuple[float, ArrayLike | None]],
    rows: Sequence[ArrayLike | None],
    fixed: NDArray[Any] | None,
    gaps: bool,
    alpha: float,
    contrast: float,
    scale: float,
) -> Scheme:
    """Prepare a block; arguments as those of `magxr.kernels.diffusion_array.fed`.

    Parameters
    ----------
    valid : array of bool, shape (n, m)
        Which pixels have a value; tells the library, too.
    dtype
        Of the block and of all that is made from it.
    gaussians : two pairs
        ``(sigma, sigma_along)`` and ``(rho, rho_along)``.
    rows : three array_like or None
        ``stretch``, ``cell_weight`` and ``pixel_weight``.
    gaps : bool
        Whether any pixel is not valid.
    """
    xp = array_module(valid)
    stretch, cell_weight, pixel_weight = (
        None if values is None else xp.asarray(np.asarray(values), dtype=dtype) for values in rows
    )
    fine, coarse = (_filter(xp, dtype, *gaussian) for gaussian in gaussians)
    scheme = Scheme(
        parts=diffusion_cuda if hasattr(xp, "RawModule") else diffusion_parts,
        shape=(valid.shape[0], valid.shape[1]),
        fine=fine,
        coarse=coarse,
        pixels=None,
        cells=None,
        stretch=stretch,
        cell_weight=cell_weight,
        pixel_weight=pixel_weight,
        fixed=fixed,
        alpha=alpha,
        contrast=contrast,
    )
    if gaps:
        scheme = scheme._replace(pixels=_pixel_weights(valid, scheme), cells=_cell_weights(valid, scheme))
    # A cell's gradient is the mean of two differences.
    return scheme._replace(fine=fine._replace(down=fine.down * (0.5 / scale)))


def _filter(xp: Any, dtype: np.dtype[Any], sigma: float, by_row: ArrayLike | None) -> Filter:
    """Make a Gaussian in arrays of one library."""
    rows = [gaussian_taps(s) for s in ([sigma] if by_row is None else np.asarray(by_row, np.float64))]
    table = np.zeros((max(map(len, rows)), len(rows)))
    for number, taps in enumerate(rows):
        table[: len(taps), number] = taps
    return Filter(xp.asarray(gaussian_taps(sigma), dtype=dtype), xp.asarray(table, dtype=dtype))


def _pixel_weights(valid: NDArray[Any], scheme: Scheme) -> NDArray[Any]:
    """Return what the smoothed anomaly must be multiplied by near gaps, shape (n, m)."""
    (n, m), (far, wide) = scheme.shape, scheme.fine.radius
    seen = window(valid.astype(scheme.fine.down.dtype), (0, 0), ((-far, n + far), (-wide, m + wide)), (n, m))
    seen = scheme.parts.along(scheme.parts.down(seen, scheme.fine.down), scheme.fine.along)
    weights: NDArray[Any] = valid / (seen + ~valid)
    return weights


def _cell_weights(valid: NDArray[Any], scheme: Scheme) -> NDArray[Any]:
    """Return the same for the structure tensor and cells with four valid corners, shape (n + 1, m + 1)."""
    (n, m), (far, wide) = scheme.shape, scheme.coarse.radius
    v = window(valid, (0, 0), ((-1, n + 1), (-1, m + 1)), (n, m))
    four = v[1:, 1:] & v[:-1, 1:] & v[1:, :-1] & v[:-1, :-1]
    rows = -1 - far, n + far
    seen = four.astype(scheme.coarse.down.dtype)
    seen = window(seen, (0, 0), (rows, (-1 - wide, m + wide)), (n, m), cells=True)
    seen = scheme.parts.along(seen, lines(scheme.coarse.along, rows, n, cells=True))
    weights: NDArray[Any] = four / (scheme.parts.down(seen, scheme.coarse.down) + ~four)
    return weights
