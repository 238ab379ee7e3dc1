"""Noise with the spectrum of a map but without its lines: what a method calls linear in it, it made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


def isotropic_noise(
    field: Floats, cell: tuple[float, float], rng: np.random.Generator, shape: tuple[int, int] | None = None
) -> Floats:
    """Return Gaussian noise with the power of ``field`` at every wavelength and no direction.

    Random phases alone would not do: the spectrum of stripes lies on a line, so they would still be
    striped. The power is averaged over all directions instead.

    Parameters
    ----------
    field : numpy.ndarray
        2-D, without NaN; any unit.
    cell : (float, float)
        Height and width of a cell, km.
    rng : numpy.random.Generator
        Source of the phases and amplitudes.
    shape : (int, int), optional
        Of the result; default that of ``field``.

    Returns
    -------
    numpy.ndarray
        float64, mean 0, same standard deviation as ``field``.
    """
    size = shape or field.shape
    taper = np.outer(np.hanning(field.shape[0]), np.hanning(field.shape[1]))
    power = np.abs(np.fft.rfft2((field - field.mean()) * taper)) ** 2
    finest = max(side * length for side, length in zip(field.shape, cell, strict=True))
    ring = np.rint(_frequency(field.shape, cell) * finest).astype(int)
    counts = np.bincount(ring.ravel())
    filled = np.flatnonzero(counts)
    mean = np.bincount(ring.ravel(), power.ravel())[filled] / counts[filled]
    amplitude = np.sqrt(np.interp(_frequency((size[0], size[1]), cell) * finest, filled, mean))
    amplitude[0, 0] = 0.0
    noise: Floats = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(size)) * amplitude, size)
    noise *= field.std() / noise.std()
    return noise


def _frequency(shape: tuple[int, ...], cell: tuple[float, float]) -> Floats:
    result: Floats = np.hypot(
        np.fft.fftfreq(shape[0], cell[0])[:, None], np.fft.rfftfreq(shape[1], cell[1])[None, :]
    )
    return result
