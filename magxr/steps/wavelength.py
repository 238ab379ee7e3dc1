"""How wide the stripes are: the dominant wavelength across strike, on window centres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.blocks import Job, map_regions
from magxr.chunked.quantiles import check_block, check_some
from magxr.geogrid import EARTH_RADIUS
from magxr.kernels.windows import centres, shares
from magxr.labelled import anomaly, canonical, on_grid
from magxr.steps.cells import filled
from magxr.steps.classify import centre_grid, check_centres, check_share
from magxr.steps.sweep import jobs_of, missing_cells, starts

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr
    from numpy.typing import NDArray

    from magxr.chunked.blocks import Jobs, Reach

_FIELDS: dict[str, dict[str, Any]] = {
    "wavelength": {"long_name": "dominant wavelength across strike", "units": "km"},
    "wavelength_uncertainty": {"long_name": "standard deviation of the dominant wavelength", "units": "km"},
    "strike": {
        "long_name": "strike of the stripes of the dominant wavelength",
        "units": "degrees",
        "comment": "azimuth along the stripes, clockwise from true north, 0 to 180",
    },
    "sharpness": {
        "long_name": "share of the power that is in the peak",
        "units": "1",
        "valid_min": 0.0,
        "valid_max": 1.0,
    },
}


def wavelength(
    obj: xr.Dataset | xr.DataArray,
    *,
    size: int = 250,
    stride: int = 50,
    max_missing: float = 0.2,
    variable: Hashable | None = None,
) -> xr.Dataset:
    r"""Tell how wide the stripes are: the dominant wavelength across strike, on a grid of window centres.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly, nT, on latitude and longitude; numpy or Dask. A 2-D coordinate ``filled`` (1: the cell was
        interpolated), as `magxr.grid` attaches, counts towards ``max_missing``.
    size : int
        Side of a window, cells.
    stride : int
        Cells from one window to the next. A result stands for the central ``stride x stride`` cells of its
        window, so size minus stride must be even.
    max_missing : float
        Largest share, 0 to 1, of a window's cells that may be missing or filled; above it, no answer.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.Dataset
        On cells of ``stride x stride`` input cells, as `magxr.classify` lays them, float32, in the input's
        dim order and directions; lazy if ``obj`` is:

        ``wavelength``
            Of the peak, km across the stripes: two of them, one of either polarity.
        ``wavelength_uncertainty``
            One standard deviation, km.
        ``strike``
            Azimuth along the stripes of that wavelength, degrees clockwise from true north, in [0, 180).
        ``sharpness``
            Share of the window's power that the peak holds above what is alike in all directions, 0 to 1.

        All NaN where there is no answer: nearer to the map's edge than half a window, too many cells
        missing, no direction that stands out, or a wavelength longer than half the window.

    Raises
    ------
    ParameterError, GridError
        If an argument is out of range or the map is smaller than a window, or is in memory and has no data
        at all. When computed: if the map holds fill values.

    Notes
    -----
    The plane of the window is taken out, gaps are filled with it, and a Hann taper laid on. In the power
    spectrum P, in true kilometres at the latitude of the window's centre, the peak is that of :math:`k S(k)`,
    the power by octave, with S the power within 30 degrees of a direction less that within 30 degrees of the
    one at right angles, smoothed over a quarter of k on either side. S is the stripes' own, since noise that
    is alike in all directions cancels. Direction and k are chosen together, among those where the power
    stands 3.5 standard deviations above that at right angles and is at least 2 % of the power of all waves
    as long or longer, and refined by moments of the power.

    A plane wave gives its wavelength within 0.1 % and its strike within 0.1 degrees while the window holds
    four waves or more, within 3 % and half a degree at two. The uncertainty adds up: the noise, as strong as
    at right angles; the width of the peak beyond that of the taper, over the number of independent estimates
    in it; and what the negative wavenumber may do. For waves in white or red noise the error is 0.6 times it,
    rms. White or red noise alone was given no answer in 240 windows. Stripes that bend within a window count
    by their width, not by the mean direction.

    The paper wants windows that hold four to six anomalies. Where highs and lows both count these are two
    to three wavelengths: ``2 * side / wavelength`` anomalies for a window ``side`` km wide.

    References
    ----------
    Ghosh et al. (2026), "Creating labeled training images".
    Welch, P. D. (1967), The use of fast Fourier transform for the estimation of power spectra, IEEE Trans.
    Audio Electroacoust. 15, 70-73.
    """
    da = anomaly(obj, variable)
    values, grid, layout = canonical(da)
    check_centres(grid, size, stride)
    check_share(max_missing)
    check_some(values, da.name)
    rows = centres(grid.shape[0], size, stride)
    columns = centres(grid.shape[1], size, stride, wrap=grid.wraps, anchor=grid.column0)
    jobs, chunks = jobs_of(values, grid, rows, columns, pad=False)
    mask = filled(da)
    found = map_regions(
        _task,
        [values] if mask is None else [values, mask],
        _stacked(jobs),
        chunks=((len(_FIELDS),), *chunks),
        dtype=np.float32,
        step="wavelength",
        latitude=(grid.origin[0], grid.spacing[0]),
        width=grid.spacing[1],
        max_missing=float(max_missing),
    )
    told = {"size": size, "stride": stride, "max_missing": max_missing}
    own = {**told, "registration": "pixel"} | {k: v for k, v in da.attrs.items() if k == "history"}
    fields = {name: (found[n], {**about, **own}) for n, (name, about) in enumerate(_FIELDS.items())}
    return on_grid(da, layout, centre_grid(grid, rows, columns), fields, step="wavelength", parameters=told)


def _stacked(jobs: Jobs) -> Jobs:
    """Let every block hold all the results."""
    return {(0, *number): Job(job.rows, job.columns, job.told) for number, job in jobs.items()}


def _task(
    block: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    *,
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    span: tuple[Reach, Reach],
    size: int,
    stride: int,
    latitude: tuple[float, float],
    width: float,
    max_missing: float,
) -> NDArray[np.float32]:
    from magxr.kernels.spectrum import dominant, waves

    out = np.full((len(_FIELDS), *shape), np.nan, dtype=np.float32)
    if block is None:
        return out
    check_block(block, infinite=True)
    if not np.isfinite(block).any():
        return out
    first = starts(answered, stride)
    real = (span[0].real, span[1].real)
    wanted = shares(missing_cells(block, mask), real, size, *first) <= max_missing
    degree = math.radians(1.0) * EARTH_RADIUS / 1e3
    for i, row in enumerate(first[0]):
        if not wanted[i].any():
            continue
        middle = latitude[0] + latitude[1] * (span[0].start + int(row) + 0.5 * (size - 1))
        among = waves(size, latitude[1] * degree, width * degree * math.cos(math.radians(middle)))
        for j, column in enumerate(first[1]):
            if wanted[i, j]:
                # A copy in one piece, so that the sums are the same wherever the block begins.
                window = np.ascontiguousarray(block[row : row + size, column : column + size])
                out[:, answered[0][0] + i, answered[1][0] + j] = dominant(window, among)
    return out
