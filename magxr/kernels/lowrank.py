"""Low-rank approximation of a map: a Gram matrix summed exactly, its basis, and local bases on tiles.

Sums of floats depend on their order, and so on the chunks. Here every sum across blocks is either exact
(the Gram matrix: integers in float64, after Ozaki et al. 2012) or carried through the blocks in one fixed
order (`project`, `expand`), so that the result does not know how the map was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.blas import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRIP = 512
"""Columns worked on at a time: bounds scratch memory, and keeps the strips of `project` in the cache."""
_CACHED = 64


class Scale(NamedTuple):
    """What the values are measured from and in: ``|value - mean| < 2**exponent`` in every cell."""

    mean: float
    exponent: int


class Basis(NamedTuple):
    """Left singular vectors that are kept, and the whole spectrum."""

    vectors: NDArray[np.float64]
    singular_values: NDArray[np.float64]
    retained: float


def centred(block: NDArray[Any], mean: float) -> NDArray[np.float64]:
    """Return the block in float64 less ``mean``, missing cells 0."""
    values: NDArray[np.float64] = block.astype(np.float64, order="C") - mean
    values[np.isnan(values)] = 0.0
    return values


def slice_bits(terms: int) -> int:
    """Width of integers whose products can be added ``terms`` times in float64 without rounding."""
    return min(26, (53 - max(terms - 1, 1).bit_length()) // 2)


def gram(blocks: list[NDArray[Any]], scale: Scale, bits: int) -> NDArray[np.float64]:
    """Return the exact parts of ``A @ A.T`` for rows ``A`` given as blocks from south to north.

    ``A`` is rounded to ``2 * bits`` bits below ``2**exponent`` and cut into two integers of ``bits`` bits,
    high and low. Every product of them and every sum of products is an integer below 2**53.

    Returns
    -------
    ndarray of float64, shape (2, rows, rows)
        high by high, and high by low plus its transpose. Low by low is below the rounding of the result.
    """
    rows = sum(len(b) for b in blocks)
    parts = np.zeros((2, rows, rows))
    for start in range(0, blocks[0].shape[1], _STRIP):
        strip = np.concatenate([centred(b[:, start : start + _STRIP], scale.mean) for b in blocks])
        strip = np.ldexp(strip, bits - scale.exponent)
        high = np.rint(strip)
        low = np.rint(np.ldexp(strip - high, bits))
        parts[0] += high @ high.T
        cross = high @ low.T
        parts[1] += cross
        parts[1] += cross.T
    return parts


def basis(parts: NDArray[np.float64], scale: Scale, bits: int, variance: float, k: int | None) -> Basis:
    """Find the singular vectors to keep from the exact parts of the Gram matrix.

    ``k`` of them, or the fewest whose squared singular values sum to ``variance`` of the whole.
    """
    matrix = np.ldexp(parts[0] + np.ldexp(parts[1], -bits), -2 * bits)
    with one_thread():
        eigenvalues, vectors = np.linalg.eigh(matrix)
    squares = np.maximum(eigenvalues[::-1], 0.0)
    rank, retained = choose_rank(squares, variance, k)
    kept = np.ascontiguousarray(vectors[:, ::-1][:, :rank])
    return Basis(kept, np.ldexp(np.sqrt(squares), scale.exponent), retained)


def choose_rank(squares: NDArray[np.float64], variance: float, k: int | None) -> tuple[int, float]:
    """Return how many components to keep and the share of variance they hold (1 if there is none)."""
    held = np.cumsum(squares)
    if held[-1] == 0:
        return (k or 0), 1.0
    rank = k or int(np.argmax(held >= variance * held[-1])) + 1
    return rank, float(held[rank - 1] / held[-1])


@njit(nogil=True, cache=True)  # no fastmath: it would let the order of additions depend on the width
def project(
    carried: NDArray[np.float64], vectors: NDArray[np.float64], block: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add ``vectors.T @ block`` to what the rows south of this block gave, row after row.

    Parameters
    ----------
    carried : ndarray, shape (k, columns)
    vectors : ndarray, shape (rows, k)
    block : ndarray, shape (rows, columns)
        Centred, without NaN.
    """
    total = carried.copy()
    for start in range(0, block.shape[1], _CACHED):
        end = min(start + _CACHED, block.shape[1])
        for i in range(block.shape[0]):
            for p in range(vectors.shape[1]):
                weight = vectors[i, p]
                for j in range(start, end):
                    total[p, j] += weight * block[i, j]
    return total


@njit(nogil=True, cache=True)
def expand(vectors: NDArray[np.float64], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``vectors @ coefficients``, adding the components in their order."""
    total = np.zeros((vectors.shape[0], coefficients.shape[1]))
    for start in range(0, coefficients.shape[1], _CACHED):
        end = min(start + _CACHED, coefficients.shape[1])
        for i in range(vectors.shape[0]):
            for p in range(vectors.shape[1]):
                weight = vectors[i, p]
                for j in range(start, end):
                    total[i, j] += weight * coefficients[p, j]
    return total


def approximate(tile: NDArray[Any], variance: float, k: int | None, center: bool) -> NDArray[np.float64]:
    """Return the low-rank approximation of one tile; missing cells count as the mean (0 if not centred).

    The result holds numbers in the missing cells, too.
    """
    missing = np.isnan(tile)
    if missing.all():
        return np.zeros(tile.shape)
    mean = float(np.mean(tile[~missing], dtype=np.float64)) if center else 0.0
    left, singular, right = np.linalg.svd(centred(tile, mean), full_matrices=False)
    rank, _ = choose_rank(singular**2, variance, k)
    kept: NDArray[np.float64] = (left[:, :rank] * singular[:rank]) @ right[:rank]
    return kept + mean
