"""Random numbers that belong to places: any window of the plane gets the same values, whoever asks.

White noise is drawn in blocks of `BLOCK` x `BLOCK` from a counter-based generator (Philox) whose key is
(seed, name) and whose counter is the block's place. Smooth noise is a cubic B-spline over such values on a
lattice in kilometres; fractal noise is a sum of smooth noises at halving wavelengths.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    Floats = NDArray[np.floating[Any]]

BLOCK = 64
"""Side of the blocks in which white noise is drawn, samples."""

_SPLINE_STD = 151.0 / 315.0
"""Standard deviation of a bicubic B-spline over unit white noise (mean over positions)."""

_WORD = (1 << 64) - 1


@lru_cache(maxsize=4096)
def _key(seed: int, name: str) -> tuple[int, int]:
    words = np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(2, np.uint64)
    return int(words[0]), int(words[1])


def white(
    seed: int,
    name: str,
    rows: tuple[int, int],
    cols: tuple[int, int],
    kind: Literal["normal", "uniform"] = "normal",
) -> Floats:
    """Return independent numbers for the cells ``rows[0]:rows[1], cols[0]:cols[1]`` of an endless lattice.

    Parameters
    ----------
    seed : int
        Non-negative.
    name : str
        Tells apart the fields that share a seed.
    rows, cols : (int, int)
        Half-open ranges; negative indices are places like any other.
    kind : {"normal", "uniform"}
        Mean 0 and variance 1, or uniform on 0..1.
    """
    out = np.empty((rows[1] - rows[0], cols[1] - cols[0]))
    key = np.array(_key(seed, name), dtype=np.uint64)
    for i in range(rows[0] // BLOCK, (rows[1] - 1) // BLOCK + 1):
        r0, r1 = max(rows[0], i * BLOCK), min(rows[1], (i + 1) * BLOCK)
        for j in range(cols[0] // BLOCK, (cols[1] - 1) // BLOCK + 1):
            c0, c1 = max(cols[0], j * BLOCK), min(cols[1], (j + 1) * BLOCK)
            place = np.array([0, 0, i & _WORD, j & _WORD], dtype=np.uint64)
            rng = np.random.Generator(np.random.Philox(key=key, counter=place))
            block = rng.standard_normal((BLOCK, BLOCK)) if kind == "normal" else rng.random((BLOCK, BLOCK))
            out[r0 - rows[0] : r1 - rows[0], c0 - cols[0] : c1 - cols[0]] = block[
                r0 - i * BLOCK : r1 - i * BLOCK, c0 - j * BLOCK : c1 - j * BLOCK
            ]
    return out


def smooth(seed: int, name: str, y: Floats, x: Floats, wavelength: float) -> Floats:
    """Return noise of unit variance without structure finer than about ``wavelength``.

    Parameters
    ----------
    seed, name
        As in `white`.
    y, x : numpy.ndarray
        1-D ascending northings and eastings of the rows and columns, km.
    wavelength : float
        Twice the lattice's step, km.

    Returns
    -------
    numpy.ndarray
        (len(y), len(x)), float64, dimensionless.
    """
    step = 0.5 * wavelength
    (first_row, last_row, down), (first_col, last_col, across) = _spline(y / step), _spline(x / step)
    lattice = white(seed, f"{name}/{wavelength:.6g}", (first_row, last_row), (first_col, last_col))
    # Sparse products add in a fixed order, unlike BLAS, so that the bits do not depend on threads.
    half = np.ascontiguousarray((across @ lattice.T).T)
    field: Floats = np.asarray(down @ half)
    return field / _SPLINE_STD


def fractal(
    seed: int, name: str, y: Floats, x: Floats, longest: float, shortest: float, slope: float = 0.7
) -> Floats:
    """Return self-affine noise of unit variance between two wavelengths (km).

    The amplitude of an octave goes as its wavelength to the power ``slope`` (0: equal octaves; 1: smooth).
    """
    count = max(1, 1 + int(np.floor(np.log2(max(longest / shortest, 1.0)) + 1e-9)))
    weights = 2.0 ** (-slope * np.arange(count))
    out: Floats = np.zeros((y.size, x.size))
    for octave, weight in enumerate(weights):
        out += weight * smooth(seed, name, y, x, longest / 2.0**octave)
    return out / float(np.sqrt((weights**2).sum()))


def _spline(position: Floats) -> tuple[int, int, csr_array]:
    """Return the lattice range and the matrix of cubic B-spline weights at positions in lattice steps."""
    from scipy.sparse import csr_array

    cell = np.floor(position)
    t = position - cell
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    first, last = int(cell.min()) - 1, int(cell.max()) + 3
    columns = (cell.astype(np.int64) - 1 - first)[:, None] + np.arange(4)
    starts = np.arange(0, 4 * position.size + 1, 4)
    matrix = csr_array(
        ((weights / 6.0).ravel(), columns.ravel(), starts), shape=(position.size, last - first)
    )
    return first, last, matrix
