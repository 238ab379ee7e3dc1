"""From magnetised crust to the anomaly above it: the earth filter, exact and as a truncated operator.

A horizontal layer with its top ``depth`` below the observer and of a given ``thickness``, with a
magnetisation M that does not vary with depth, gives the total-field anomaly (Parker 1973, first order;
Blakely 1995, eq. 11.36)

    F[T] = (mu0 / 2) exp(-|k| depth) (1 - exp(-|k| thickness)) P(k) F[M]

with the phase P(k) = cos(skewness) + i sin(skewness) cos(azimuth of k - ``toward``). That is crust
magnetised vertically in a field that dips 90 degrees - ``skewness`` ; for stripes whose normal points
``toward``, P is exactly exp(+- i skewness), the skewness of marine magnetics (Schouten and McCamy 1972).

A body that stands on the sea floor (a seamount) is a sheet of moment M * height per area:

    F[T] = (mu0 / 2) |k| exp(-|k| depth) P(k) F[M height]

In space these are sums of (z, x) / (2 pi (x^2 + y^2 + z^2)^(3/2)) and its derivative by z, which is what
`kernel` samples: a convolution with finite reach, so that a piece of the plane can be computed alone.

References
----------
Blakely, R. J. (1995). Potential Theory in Gravity and Magnetic Applications. Cambridge University Press.
Parker, R. L. (1973). The rapid calculation of potential anomalies. Geophys. J. R. astr. Soc. 31, 447-455.
Schouten, H. and K. McCamy (1972). Filtering marine magnetic anomalies. J. Geophys. Res. 77, 7089-7099.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

HALF_MU0 = 2.0e-7 * np.pi * 1e9
"""Half the vacuum permeability, nT per A/m."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The way from a source map to the anomaly."""

    depth: float
    """From the observer down to the top of the layer, or to the middle of the sheet, km."""
    thickness: float = 0.5
    """Of the layer, km; 0 for a sheet, whose source map is then in A/m km."""
    skewness: float = 0.0
    """Phase, degrees."""
    toward: float = 90.0
    """Azimuth of the normal to which the skewness refers, degrees from north."""

    def __post_init__(self) -> None:
        if self.depth <= 0.0 or self.thickness < 0.0:
            msg = f"depth {self.depth} km must be above 0 and thickness {self.thickness} km at least 0"
            raise ParameterError(msg)

    def raised(self, height: float) -> Filter:
        """Return the filter for an observer ``height`` km higher (upward continuation)."""
        return Filter(self.depth + height, self.thickness, self.skewness, self.toward)


def transfer(how: Filter, wave_y: Floats, wave_x: Floats) -> NDArray[np.complex128]:
    """Return the transfer function, nT per A/m (or per A/m km for a sheet), at wavenumbers in radians/km."""
    k = np.hypot(wave_y, wave_x)
    strength = np.exp(-k * how.depth) * (-np.expm1(-k * how.thickness) if how.thickness else k)
    phase = np.radians(how.skewness)
    ahead = wave_x * np.sin(np.radians(how.toward)) + wave_y * np.cos(np.radians(how.toward))
    cosine = np.divide(ahead, k, out=np.zeros_like(k), where=k > 0)
    out: NDArray[np.complex128] = HALF_MU0 * strength * (np.cos(phase) + 1j * np.sin(phase) * cosine)
    return out


def layer_anomaly(magnetisation: Floats, cell: tuple[float, float], how: Filter, pad: int = 0) -> Floats:
    """Compute the anomaly of a magnetisation map by FFT, the map repeating beyond its edges.

    Parameters
    ----------
    magnetisation : numpy.ndarray
        2-D, south in row 0, A/m (A/m km for a sheet).
    cell : (float, float)
        Height and width of a cell, km.
    how : Filter
        Depth, thickness and phase.
    pad : int
        Cells of mirrored map added on every side before, and cut off after.

    Returns
    -------
    numpy.ndarray
        Same shape, float64, nT, mean 0 over the padded map.
    """
    padded = np.pad(np.asarray(magnetisation, dtype=np.float64), pad, mode="symmetric")
    wave_y = 2.0 * np.pi * np.fft.fftfreq(padded.shape[0], cell[0])[:, None]
    wave_x = 2.0 * np.pi * np.fft.rfftfreq(padded.shape[1], cell[1])[None, :]
    spectrum: NDArray[np.complex128] = np.fft.rfft2(padded)
    spectrum = spectrum * transfer(how, wave_y, wave_x)
    field: Floats = np.fft.irfft2(spectrum, padded.shape)
    return field[pad : field.shape[0] - pad, pad : field.shape[1] - pad]


def continued(field: Floats, cell: tuple[float, float], height: float) -> Floats:
    """Continue a field ``height`` km upward by FFT, the map repeating beyond its edges."""
    wave_y = 2.0 * np.pi * np.fft.fftfreq(field.shape[0], cell[0])[:, None]
    wave_x = 2.0 * np.pi * np.fft.rfftfreq(field.shape[1], cell[1])[None, :]
    spectrum = np.fft.rfft2(field) * np.exp(-np.hypot(wave_y, wave_x) * height)
    result: Floats = np.fft.irfft2(spectrum, field.shape)
    return result


def reach_cells(cell: tuple[float, float], reach: float) -> tuple[int, int]:
    """Return how many rows and columns an operator with ``reach`` km needs on every side."""
    return int(np.ceil(reach / cell[0])), int(np.ceil(reach / cell[1]))


def kernel(how: Filter, cell: tuple[float, float], reach: float) -> Floats:
    """Sample the operator in space: its response to a unit source in one cell, tapered to 0 at ``reach`` km.

    The taper is a cosine over the outer half. What it cuts off is given back evenly under the taper, so
    that a uniform layer gives no anomaly, as it must; wavelengths beyond the reach are damped.

    Returns
    -------
    numpy.ndarray
        (2 rows + 1, 2 columns + 1) with `reach_cells`, nT.
    """
    rows, cols = reach_cells(cell, reach)
    y = cell[0] * np.arange(-rows, rows + 1)[:, None]
    x = cell[1] * np.arange(-cols, cols + 1)[None, :]
    phase, toward = np.radians(how.skewness), np.radians(how.toward)
    ahead = x * np.sin(toward) + y * np.cos(toward)
    square = x**2 + y**2
    if how.thickness:
        response = _charges(square, ahead, how.depth, phase)
        response = response - _charges(square, ahead, how.depth + how.thickness, phase)
    else:
        z = how.depth
        rise = (2.0 * z**2 - square) * np.cos(phase) - 3.0 * z * ahead * np.sin(phase)
        response = rise / (2.0 * np.pi * (square + z**2) ** 2.5)
    distance = np.sqrt(square) / reach
    taper = np.where(distance < 1.0, np.cos(np.pi * np.clip(distance - 0.5, 0.0, 0.5)) ** 2, 0.0)
    response = response * taper
    response -= taper * (response.sum() / taper.sum())
    result: Floats = HALF_MU0 * cell[0] * cell[1] * response
    return result


def anomaly(
    sources: Sequence[tuple[Floats, Filter]], cell: tuple[float, float], reach: float, raised: float = 0.0
) -> Floats:
    """Convolve source maps with their operators and add them up, without edge effects.

    Parameters
    ----------
    sources : sequence of (numpy.ndarray, Filter)
        Maps of one shape, which must extend `reach_cells` beyond what is wanted on every side.
    cell : (float, float)
        Height and width of a cell, km.
    reach : float
        Of the operators, km.
    raised : float
        Observe this much higher, km.

    Returns
    -------
    numpy.ndarray
        The inner part, smaller by twice `reach_cells`, nT, float64.
    """
    import scipy.fft

    rows, cols = reach_cells(cell, reach)
    shape = sources[0][0].shape
    size = (scipy.fft.next_fast_len(shape[0], real=True), scipy.fft.next_fast_len(shape[1], real=True))
    total = np.zeros((size[0], size[1] // 2 + 1), dtype=np.complex128)
    for source, how in sources:
        operator = _spectrum(how.raised(raised) if raised else how, cell, reach, size)
        total += scipy.fft.rfft2(source, size) * operator
    field: Floats = scipy.fft.irfft2(total, size)
    return field[rows : shape[0] - rows, cols : shape[1] - cols]


@lru_cache(maxsize=24)
def _spectrum(
    how: Filter, cell: tuple[float, float], reach: float, size: tuple[int, int]
) -> NDArray[np.complex128]:
    import scipy.fft

    taps = kernel(how, cell, reach)
    whole = np.zeros(size)
    whole[: taps.shape[0], : taps.shape[1]] = taps
    centred = np.roll(whole, (-(taps.shape[0] // 2), -(taps.shape[1] // 2)), (0, 1))
    spectrum: NDArray[np.complex128] = scipy.fft.rfft2(centred)
    spectrum.setflags(write=False)
    return spectrum


def _charges(square: Floats, ahead: Floats, z: float, phase: float) -> Floats:
    result: Floats = (z * np.cos(phase) - ahead * np.sin(phase)) / (2.0 * np.pi * (square + z**2) ** 1.5)
    return result
