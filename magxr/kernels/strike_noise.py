"""How far noise turns the strike that a structure tensor shows.

Where noise of variance s² per component meets a gradient of energy S, the tensor's mixed component has the
variance S s² / N1 + s⁴ / N2, and the strike turns by that component over S. The smaller eigenvalue tells
s², the difference of the two S, so coherence and strike are all that is needed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT, gaussian_taps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.metric import Metric

_DEGREES = math.degrees(1.0)
UNKNOWN = 180.0 / math.sqrt(12.0)
"""Standard deviation of an azimuth of which nothing is known, degrees."""
GRADIENT = 0.1
"""What gradients of 4 x 2 pixels turn stripes 6 pixels wide, rms over strikes, degrees."""
CHANCE = 12.0
"""Squared anisotropy, in variances of one component, below which it may be chance."""


def uncertainty(
    both: NDArray[Any],
    valid: NDArray[np.bool_],
    sigma: float,
    rho: float,
    stretch: NDArray[Any],
    metric: Metric,
) -> NDArray[Any]:
    """Return one standard deviation of the strike at every pixel.

    Parameters
    ----------
    both : ndarray, shape (2, n, m), float32 or float64
        Coherence and azimuth, as `magxr.kernels.structure.orientation` returns them.
    valid : ndarray, shape (n, m), bool
        False in gaps.
    sigma, rho : float
        Noise scale and integration scale of the tensor, heights of a pixel.
    stretch : ndarray, shape (n + 1,)
        Height over width of a cell in metres, by row of cells from the one across the southern edge.
    metric : Metric
        The same for the Gaussians, or 1 where they are those of the pixel grid.

    Returns
    -------
    ndarray, shape (n, m), dtype of ``both``
        Degrees, at most `UNKNOWN`; NaN where the azimuth is.

    Notes
    -----
    What a Gaussian that is round in metres leaves of white noise is isotropic in metres; what one that is
    round on the pixel grid leaves is so on the pixel grid.
    """
    n, m = valid.shape
    if not valid.any():
        return np.full((n, m), np.nan, both.dtype)
    out = np.empty((n, m), both.dtype)
    square = bool((metric.pixels == 1.0).all())
    wide = [rho] if square else [rho * float(s) for s in metric.pixels]
    lost = np.zeros((1, 1)) if valid.all() else _lost(valid, rho, wide)
    columns = np.stack([_beyond(m, r) for r in wide])
    middle = 0.5 * (stretch[:-1] + stretch[1:]) if square else np.ones(n)
    _turned(both, middle, _beyond(n, rho), columns, lost, *samples(sigma, rho), out)
    return out


@lru_cache(maxsize=64)
def samples(sigma: float, rho: float) -> tuple[float, float]:
    r"""Return how many independent samples of white noise the Gaussian of ``rho`` holds.

    Parameters
    ----------
    sigma, rho : float
        Noise scale and integration scale of the tensor, pixels.

    Returns
    -------
    with_stripes, with_itself : float
        :math:`N_1`, where noise meets the gradient of stripes much wider than ``sigma`` (narrower ones
        have more), and :math:`N_2`, where it meets itself.

    Notes
    -----
    With w the window, p the noise's gradient along the stripes and q that across, R their correlations,
    :math:`1 / N_1 = \sum R_w R_p / R_p(0)` and :math:`1 / N_2 = \sum R_w (R_p R_q + R_{pq}^2) /
    (R_p(0) R_q(0))`, summed over lags. Were pixels infinitely small that would be
    :math:`N_1 = (1 + \rho^2 / \sigma^2)^2` and, for large ``rho``, :math:`N_2 = 4 \rho^2 / \sigma^2`.
    Everything separates into rows and columns, so the sums are over the taps of the filters.
    """
    level = np.pad(np.convolve(_whole(sigma), [0.5, 0.5]), 1)
    slope = np.convolve(_whole(sigma), np.array([-1.0, -9.0, 9.0, 1.0]) / 12.0)
    window = np.convolve(_whole(rho), [0.5, 0.5])
    pairs = (level, level), (slope, slope), (level, slope), (window, window)
    found = [np.correlate(x, y, "full") for x, y in pairs]
    wide = max(map(len, found))
    a, b, ab, w = (np.pad(x, (wide - len(x)) // 2) for x in found)
    variance = float(a.max() * b.max())
    first = float((w @ a) * (w @ b)) / variance
    second = float((w @ (a * b)) ** 2 + (w @ ab**2) ** 2) / variance**2
    return 1.0 / first, 1.0 / second


def _whole(sigma: float) -> NDArray[np.float64]:
    half = gaussian_taps(sigma)
    return np.concatenate([half[:0:-1], half])


def _lost(valid: NDArray[np.bool_], rho: float, along: list[float]) -> NDArray[np.float64]:
    """Return the share of the window, 0 to 1, that gaps take; exactly 0 where none is in reach."""
    from scipy.ndimage import correlate1d

    wide = np.pad(valid, 1, mode="edge")
    closed = ~(wide[:-1, :-1] & wide[1:, :-1] & wide[:-1, 1:] & wide[1:, 1:])
    share = 0.25 * (closed[:-1, :-1].astype(np.float64) + closed[1:, :-1] + closed[:-1, 1:] + closed[1:, 1:])
    share = correlate1d(share, _whole(rho), axis=0, mode="nearest")
    if len(along) == 1:
        share = correlate1d(share, _whole(along[0]), axis=1, mode="nearest")
    else:
        rows = zip(share, along, strict=True)
        share = np.stack([correlate1d(row, _whole(r), mode="nearest") for row, r in rows])
    least: NDArray[np.float64] = np.minimum(share, 1.0)
    return least


def _beyond(n: int, rho: float) -> NDArray[np.float64]:
    """Return the share of the window, 0 to 1/2 at an edge, that is the mirror image of the map."""
    window = np.convolve(_whole(rho), [0.5, 0.5])
    # Half of what lies on the edge itself: window[k] stands k - (len - 1) / 2 pixels from the pixel.
    cut = np.cumsum(window) - 0.5 * window
    share = np.zeros(n)
    deep = min(n, len(window) // 2)
    share[:deep] += cut[len(window) // 2 - 1 :: -1][:deep]
    share[n - deep :] += share[:deep][::-1].copy() if deep < n else 0.0
    return share


@njit(**STRICT)
def _turned(
    both: NDArray[Any],
    stretch: NDArray[Any],
    rows: NDArray[Any],
    columns: NDArray[Any],
    lost: NDArray[Any],
    n1: float,
    n2: float,
    out: NDArray[Any],
) -> None:
    gaps = lost.size > 1
    for i in range(out.shape[0]):
        s = stretch[i]
        beside = columns[i] if columns.shape[0] > 1 else columns[0]
        for j in range(out.shape[1]):
            if not both[1, i, j] >= 0.0:
                out[i, j] = np.nan
                continue
            q = math.sqrt(both[0, i, j])
            azimuth = math.radians(both[1, i, j])
            # The gradient's direction, (cos, -sin) of the azimuth along the stripes.
            cos, sin = math.cos(azimuth), -math.sin(azimuth)
            # The tensor of trace 1 in metres, then in pixels, on which the noise is white.
            d, e = q * (cos * cos - sin * sin), 2.0 * q * cos * sin
            east, north, cross = 0.5 * (1.0 + d) / (s * s), 0.5 * (1.0 - d), e / s
            d, e = (east - north) / (east + north), cross / (east + north)
            q = min(1.0, math.sqrt(d * d + e * e))
            noise = 0.5 * (1.0 - q)
            kept = (1.0 - rows[i]) * (1.0 - beside[j])
            if gaps:
                kept *= 1.0 - lost[i, j]
            variance = noise * (q / n1 + noise / n2) / max(kept, 1e-6)
            sure = q * q - 4.0 * CHANCE * variance
            if sure <= 0.0:
                out[i, j] = UNKNOWN
                continue
            # Where the gradient points once the noise is taken out, and how fast that turns with the angle
            # on pixels; then how far noise that is not white in metres has pulled the strike from there.
            x = s * math.sqrt(max(0.0, 0.5 * (1.0 + d / q)))
            y = math.copysign(math.sqrt(max(0.0, 0.5 * (1.0 - d / q))), e)
            turn = variance / sure * (s / (x * x + y * y)) ** 2
            turn += math.atan2(abs(x * sin - y * cos), abs(x * cos + y * sin)) ** 2
            if rows[i] > 0.0 or beside[j] > 0.0:  # a mirror image turns the other way: the most it can hide
                image = max(0.0, (1.0 - 2.0 * rows[i]) * (1.0 - 2.0 * beside[j]))
                turn += (0.5 * math.asin((1.0 - image) / (1.0 + image))) ** 2
            out[i, j] = min(UNKNOWN, math.sqrt(turn * _DEGREES**2 + GRADIENT**2))
