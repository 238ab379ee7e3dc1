"""Exact quantiles of numpy and Dask arrays, whatever the chunking, and what is wrong with the values.

Stock `dask.array.percentile` merges the percentiles of chunks, which is an estimate that moves with the
chunks; `numpy.nanquantile` needs the whole grid in memory. Here the order statistics are found digit by
digit (`magxr.kernels.orderstats`), reading the data once for each digit and holding a chunk at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.fold import fold, then
from magxr.chunked.plan import is_chunked
from magxr.errors import GridError, ParameterError
from magxr.kernels import exactsum, orderstats
from magxr.kernels.device import on_host
from magxr.kernels.orderstats import BITS, Counts, Extent, Search

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STRONGEST = 1e5
"""No anomaly on a marine grid is stronger than this, nT: the main field itself is below 70 000 nT."""

FILL_VALUES = (99999.0, 9999.0, 999999.0, 32767.0, 32768.0, 65535.0, 2147483647.0, 2147483648.0)
"""Magnitudes that files use for "no value"; an extreme that equals one of them (either sign) is not data."""


def quantiles(x: Any, q: ArrayLike, *, checked: bool = False, constant: bool = False) -> Any:
    """Exact quantiles over all cells, NaN left out.

    Parameters
    ----------
    x : numpy or Dask array, 2-D, float32 or float64
        Read once for every 16 bits of its dtype (float32 twice, float64 four times), each time from its
        sources (see `magxr.chunked.fold.reread`), so that a few chunks are in memory at a time.
    q : array_like of float
        Quantiles, 0..1.
    checked : bool
        Raise if `problem` finds the values unusable: at once for numpy, inside the statistics task for
        Dask, before anything that uses the result.
    constant : bool
        Let a constant grid pass the check.

    Returns
    -------
    numpy or Dask array, 1-D, float64
        One value for every ``q``; lazy if ``x`` is. Bit for bit
        ``numpy.nanquantile(x, np.asarray(q), method="linear")``, whatever the chunks; NaN where no cell
        is valid.

    Raises
    ------
    ParameterError
        If a ``q`` is not within 0..1.
    GridError
        If ``checked`` and the values are all missing, constant, infinite or hold a fill value.
    """
    wanted = np.atleast_1d(np.asarray(q, dtype=np.float64)).ravel()
    if not ((wanted >= 0) & (wanted <= 1)).all():
        msg = f"quantiles must lie within 0..1, got {wanted.tolist()}"
        raise ParameterError(msg)
    dtype = _float(x)
    first = fold(x, _survey, _merge_surveys, name="extent-and-first-digit")
    search = then(_begin, first, wanted, checked, constant, name="ranks")
    for place in range(1, 8 * dtype.itemsize // BITS):
        counts = fold(x, _count, orderstats.merge_counts, search, place, name=f"digit-{place}")
        search = then(_advance, search, counts, name="ranks")
    return then(_interpolate, search, wanted, dtype, name="quantiles", shape=(wanted.size,))


def quartiles(x: Any, *, checked: bool = False, constant: bool = False) -> Any:
    """First quartile, median and third quartile, float64, lazy if ``x`` is (see `quantiles`)."""
    return quantiles(x, (0.25, 0.5, 0.75), checked=checked, constant=constant)


def extremes(x: Any) -> Any:
    """Least and greatest value and the numbers of valid, missing and infinite cells, in one pass.

    Returns
    -------
    numpy or Dask array of 5 float64, lazy if ``x`` is
        ``(lowest, highest, valid, missing, infinite)``; infinite cells count as valid, too.
    """
    _float(x)
    found = fold(x, orderstats.extent, orderstats.merge_extents, name="extent")
    return then(_as_row, found, name="extremes", shape=(5,))


def mean(x: Any) -> Any:
    """Mean of the valid cells, 0-D float64, lazy if ``x`` is: summed exactly and rounded once.

    An infinite cell makes it infinite or NaN, as in numpy.
    """
    _float(x)
    found = fold(x, _sums, _merge_sums, name="sum")
    return then(_mean, found, name="mean", shape=())


def problem(extent: ArrayLike, name: str = "the anomaly", *, constant: bool = False) -> str | None:
    """Say what makes values unusable, or None.

    Parameters
    ----------
    extent : array_like of 5 numbers
        What `extremes` found: lowest, highest, valid, missing, infinite.
    name : str
        What to call the values.
    constant : bool
        One and the same value everywhere is no problem.

    Returns
    -------
    str or None
        The message of a `GridError`: all cells missing, infinite cells, an extreme that is a fill value
        (`FILL_VALUES`) or stronger than `STRONGEST`, or one and the same value everywhere.
    """
    lowest, highest, valid, missing, infinite = (float(v) for v in np.asarray(extent, dtype=np.float64))
    if valid == 0:
        return f"{name} has no valid value: all {missing:.0f} cells are NaN; check the region and the mask"
    if infinite:
        return f"{name} has {infinite:.0f} infinite cells; mask them with .where(np.isfinite(...))"
    foreign = _foreign(lowest, highest, name)
    if foreign is None and lowest == highest and not constant:
        what = "a constant grid holds nothing to interpret; check the region and the file"
        return f"{name} is {lowest:g} nT in every valid cell; {what}"
    return foreign


def _foreign(lowest: float, highest: float, name: str) -> str | None:
    for value in (lowest, highest):
        if abs(value) > STRONGEST or abs(value) in FILL_VALUES:
            return (
                f"{name} reaches {value:g} nT, which is a fill value or another unit, no anomaly; "
                f"mask it with .where(anomaly != {value:g}) or open the file with mask_and_scale=True"
            )
    return None


def check_extent(extent: ArrayLike, *, constant: bool = False) -> None:
    """Raise a `GridError` if `problem` finds one."""
    message = problem(extent, constant=constant)
    if message:
        raise GridError(message)


def check_block(block: NDArray[Any], *, infinite: bool = False) -> None:
    """Raise a `GridError` if a block holds a fill value, or an infinity unless these count as missing.

    For steps that look at no statistic of the whole grid: what they can see is refused when it is met.
    """
    lowest, highest, _, _, infinities = orderstats.extent(block)
    if infinities and infinite:
        finite = np.where(np.isinf(block), block.dtype.type(np.nan), block)
        lowest, highest, _, _, infinities = orderstats.extent(finite)
    message = problem((lowest, highest, 1, 0, infinities), constant=True)
    if message:
        raise GridError(message)


def check_some(x: Any, name: object = None) -> None:
    """Raise a `GridError` if an array in memory has no finite cell; of a lazy one that is not known yet."""
    if not is_chunked(x) and not np.isfinite(x).any():
        what = "every cell is NaN or infinite; check the region and the mask"
        msg = f"{name or 'the anomaly'} has no data: {what}"
        raise GridError(msg)


def _float(x: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(x.dtype)
    if dtype not in (np.float32, np.float64):
        msg = f"statistics need float32 or float64 values, got {dtype}; convert them with .astype('float32')"
        raise GridError(msg)
    return dtype


Survey = tuple[Extent, Counts]


# Digits are counted by numpy, so the blocks of a GPU are copied: the same bits wherever the data are.


def _survey(block: NDArray[Any]) -> Survey:
    block = on_host(block)
    return orderstats.extent(block), orderstats.count_digits(block, (0,), 0)


def _merge_surveys(parts: list[Survey]) -> Survey:
    extents, counts = zip(*parts, strict=True)
    return orderstats.merge_extents(list(extents)), orderstats.merge_counts(list(counts))


def _begin(survey: Survey, q: NDArray[np.float64], checked: bool, constant: bool) -> Search:
    extent, counts = survey
    if checked:
        check_extent(extent, constant=constant)
    search = orderstats.begin(extent.valid, q)
    return orderstats.advance(search, counts) if extent.valid else search


def _count(block: NDArray[Any], search: Search, place: int) -> Counts:
    return orderstats.count_digits(on_host(block), tuple(sorted(set(search.prefixes))), place)


def _advance(search: Search, counts: Counts) -> Search:
    return orderstats.advance(search, counts) if search.valid else search


def _interpolate(search: Search, q: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    if search.valid == 0:
        return np.full(q.size, np.nan)
    return orderstats.interpolate(search, q, dtype)


def _as_row(extent: Extent) -> NDArray[np.float64]:
    return np.array(extent, dtype=np.float64)


Sums = tuple[Extent, "NDArray[np.int64]"]


def _sums(block: NDArray[Any]) -> Sums:
    block = on_host(block)
    return orderstats.extent(block), exactsum.parts(block)


def _merge_sums(blocks: list[Sums]) -> Sums:
    extents, parts = zip(*blocks, strict=True)
    return orderstats.merge_extents(list(extents)), exactsum.merge(list(parts))


def _mean(sums: Sums) -> np.float64:
    extent, parts = sums
    if extent.infinite:
        ends = {v for v in (extent.lowest, extent.highest) if np.isinf(v)}
        return np.float64(ends.pop() if len(ends) == 1 else np.nan)
    return np.float64(exactsum.mean(parts, extent.valid))
