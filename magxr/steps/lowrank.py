"""Step 4 of the workflow: noise reduction by a low-rank approximation of the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import xarray as xr

from magxr.chunked.gram import low_rank
from magxr.chunked.plan import is_chunked
from magxr.chunked.quantiles import check_extent, extremes
from magxr.chunked.tiles import tiled_low_rank
from magxr.errors import ParameterError
from magxr.geogrid import describe
from magxr.labelled import anomaly, apply
from magxr.steps.arguments import flag, is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Hashable

    from magxr.geogrid import Grid
    from magxr.labelled import Extras, Labelled, Values

VARIANCE = 0.98
"""Share of the variance that the paper keeps."""


def denoise(
    obj: Labelled,
    *,
    variance: float = VARIANCE,
    k: int | None = None,
    mode: Literal["region", "tile"] = "region",
    tile: int = 256,
    center: bool = False,
    residual: bool = False,
    variable: Hashable | None = None,
) -> Labelled | xr.Dataset:
    r"""Keep the largest singular components of the map, drop the rest as noise.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly on latitude and longitude, float32 or float64, nT, numpy- or Dask-backed. NaN takes part as
        0 nT (as the mean, with ``center``) and stays NaN.
    variance : float
        Keep the fewest components whose squared singular values sum to this share; 0 < variance <= 1.
    k : int, optional
        Keep this many components instead; 1 to the shorter side (of a tile, in tile mode).
    mode : {"region", "tile"}
        "region": one decomposition of the whole map, exact whatever the chunks. "tile": one for every tile
        of ``tile`` x ``tile`` cells, tiles overlapping by half and blended; for grids whose shorter side
        is over 4096 cells, and for maps whose strike changes from place to place.
    tile : int
        Side of a tile, cells; even, at least 8, at most the shorter side. Chunks must be at least
        ``tile - 1`` cells.
    center : bool
        Take the mean of the valid cells (of each tile, in tile mode) away before and put it back after.
        The paper decomposes the matrix of gridded values as it is, which is the default. A map with an
        offset (a mean that is not small beside its standard deviation) should be centred: else the
        offset counts as variance and the anomalies keep too few components.
    residual : bool
        Return a Dataset that also has ``<name>_residual``, what was removed (Fig. 7d of the paper).
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    Same type as ``obj``, a Dataset if ``residual``
        In region mode with the scalar coordinates ``rank`` (k) and ``retained_variance`` (0..1), and on a
        Dataset ``singular_values`` (nT, dim ``component``); lazy on lazy input. In tile mode the rank
        differs from tile to tile and is not kept. ``attrs`` say ``low_rank_mode`` and
        ``low_rank_centred``.

    Raises
    ------
    ParameterError
        If an argument is out of its range, ``k`` and ``variance`` are both given, or the region is too
        large for one decomposition.
    GridError
        If the values are unusable: all missing, infinite, constant or a fill value. Lazy input in tile
        mode is read once only and refused for infinite cells and fill values, when they are met.
    ChunkError
        In tile mode, if a chunk is smaller than the halo of ``tile - 1`` cells.

    Notes
    -----
    With :math:`A = \sum_i s_i u_i v_i^T` and :math:`s_1 \ge s_2 \ge \dots` the result is
    :math:`\sum_{i \le k} s_i u_i v_i^T`, where k is the least with
    :math:`\sum_{i \le k} s_i^2 \ge \mathrm{variance} \sum_i s_i^2`. In region mode it is found as
    :math:`U_k U_k^T A` from the eigenvectors of the Gram matrix :math:`A A^T` on the shorter side, which is
    summed exactly (`magxr.kernels.lowrank`), not by a randomised method. Squaring costs precision in small
    singular values only: those below about :math:`10^{-6} s_1` are not to be trusted.

    Tiles stand at multiples of half a tile from the southern row and the western column (from longitude 0
    on a grid that goes round the globe); the last tile of an axis is moved back to end with the grid, so
    that every tile holds real cells only. Blending weights are Hann windows, divided by their sum.

    References
    ----------
    Ghosh et al., 2026, Sci. Rep. 16, 1185: workflow step 4; 98 % of the variance; k = 47 (EPR) and 87.
    Bekara and Van der Baan, 2007, Geophysics 72, V59-V65: local SVD.
    Ozaki et al., 2012, Numer. Algorithms 59, 95-118: products without rounding.
    """
    da = anomaly(obj, variable)
    shape = describe(da)[0].shape
    _check(shape, variance, k, mode, tile)
    center, residual = flag("center", center), flag("residual", residual)
    source: Any = obj
    if isinstance(obj, xr.DataArray) and residual:
        variable = da.name if da.name is not None else "anomaly"
        source = obj.to_dataset(name=variable)

    def region(values: Values, grid: Grid) -> tuple[Values, Extras]:
        # On a globe the sums go around it, so that they do not depend on where it is cut.
        shift = -grid.column0 % grid.shape[1] if grid.wraps and grid.shape[0] > grid.shape[1] else 0
        found = low_rank(_turned(values, shift), variance=variance, k=k, center=center)
        extras: Extras = {
            "rank": ((), found.rank.astype(np.int64), {"long_name": "singular components kept"}),
            "retained_variance": ((), found.retained, {"long_name": "share of variance kept", "units": "1"}),
            "singular_values": (
                ("component",),
                found.singular_values,
                {"long_name": "singular values of the map before noise was removed", "units": "nT"},
            ),
        }
        return _turned(found.values, -shift % grid.shape[1]), extras

    def tiled(values: Values, grid: Grid) -> Values:
        if not is_chunked(values):
            check_extent(extremes(values))
        return tiled_low_rank(
            values,
            tile=tile,
            variance=variance,
            k=k,
            center=center,
            wrap=grid.wraps,
            column0=grid.column0,
        )

    parameters = {
        "variance": None if k else variance,
        "k": k,
        "mode": mode,
        "tile": tile if mode == "tile" else None,
        "center": center,
    }
    work = region if mode == "region" else tiled
    out = apply(source, work, step="denoise", parameters=parameters, variable=variable)
    attrs = {"low_rank_mode": mode, "low_rank_centred": "yes" if center else "no"}
    return cast("Labelled", _told(out, da, variable, attrs, residual))


def _told(
    out: Any, da: xr.DataArray, variable: Hashable | None, attrs: dict[str, str], residual: bool
) -> Any:
    """Add what is known of the decomposition to the attrs, and the residual if it is asked for."""
    if isinstance(out, xr.DataArray):
        return out.assign_attrs(attrs)
    cleaned = out[da.name if variable is None else variable].assign_attrs(attrs)
    out = out.assign({cleaned.name: cleaned})
    if not residual:
        return out
    removed = cleaned.drop_attrs(deep=False).copy(data=da.data - cleaned.data)
    removed.attrs = {"units": "nT", "long_name": "removed as noise", "history": cleaned.attrs["history"]}
    return out.assign({f"{cleaned.name}_residual": removed})


def _check(shape: tuple[int, int], variance: float, k: int | None, mode: str, tile: int) -> None:
    if mode not in ("region", "tile"):
        msg = f"mode must be 'region' or 'tile', got {mode!r}"
        raise ParameterError(msg)
    if not is_number(variance) or not 0 < variance <= 1:
        msg = f"variance must be a share greater than 0 and at most 1 (the paper: 0.98), got {variance!r}"
        raise ParameterError(msg)
    if k is not None and variance != VARIANCE:
        msg = f"give k={k!r} or variance={variance}, not both: each of them sets the rank"
        raise ParameterError(msg)
    if mode == "tile":
        if not is_whole(tile, 8) or tile % 2:
            msg = f"tile must be an even whole number of at least 8 cells, got {tile!r}"
            raise ParameterError(msg)
        if tile > min(shape):
            msg = (
                f"tile={tile} is larger than the shorter side of the grid, {shape[0]} x {shape[1]} cells; "
                f"use tile={min(shape) // 2 * 2} or less, or mode='region'"
            )
            raise ParameterError(msg)
    most = tile if mode == "tile" else min(shape)
    if k is not None and not (is_whole(k, 1) and k <= most):
        msg = f"k must be a whole number from 1 to {most} (the shorter side), got {k!r}"
        raise ParameterError(msg)


def _turned(values: Values, shift: int) -> Values:
    if not shift:
        return values
    return np.concatenate([values[:, shift:], values[:, :shift]], axis=1)
