"""Where the stripes strike, and how coherent they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from magxr.chunked.halo import map_halo
from magxr.chunked.quantiles import check_block, check_some
from magxr.geogrid import describe
from magxr.labelled import anomaly, derive
from magxr.steps.ground import between_rows, check_scales, ground

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.chunked.halo import Place
    from magxr.geogrid import Grid
    from magxr.steps.ground import Ground

_COHERENCE = {
    "long_name": "coherence of the magnetic lineations",
    "units": "1",
    "valid_min": 0.0,
    "valid_max": 1.0,
}
_STRIKE = {
    "long_name": "strike of the magnetic lineations",
    "units": "degrees",
    "comment": "azimuth along the stripes, clockwise from true north, 0 to 180",
}


def structure(
    obj: xr.Dataset | xr.DataArray,
    *,
    sigma: float | None = None,
    rho: float | None = None,
    metric: Literal["pixel", "spherical"] = "pixel",
    variable: Hashable | None = None,
) -> xr.Dataset:
    r"""Return how coherent the stripes are and where they strike.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly on latitude and longitude, float32 or float64, nT.
    sigma, rho : float, optional
        Noise scale and integration scale of the structure tensor, as in `diffuse`: pixels, or km with
        ``metric="spherical"``; default one and four heights of a pixel.
    metric : {"pixel", "spherical"}
        Whether the Gaussians are round on the pixel grid or on the ground. Gradients are always taken in
        metres.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.Dataset
        On the cells of the anomaly, its dtype, NaN where it is NaN, lazy if it is:

        ``coherence``
            :math:`((\mu_1 - \mu_2) / (\mu_1 + \mu_2))^2`, 0 (no direction) to 1 (perfect stripes).
        ``strike``
            Azimuth along the stripes, degrees clockwise from true north, in [0, 180): gradients are
            taken in metres, so that it holds at any latitude. NaN where there is no direction at all.

    Raises
    ------
    ParameterError
        If ``sigma`` or ``rho`` is out of its range, or ``metric`` not known.
    ChunkError
        If a chunk is smaller than the reach of the tensor.
    GridError
        If ``obj`` is not a grid of anomalies, reaches beyond 80 degrees with ``metric="spherical"``, or is
        in memory and has no data at all. When computed: if it
        holds infinite or fill values.

    Notes
    -----
    Gradients take 4 x 2 pixels, which turns stripes as narrow as
    6 pixels by less than half a degree (2 x 2, as in `diffuse`: 1.4 degrees); next to gaps 2 x 2. Noise that
    is white on the pixel grid is not so in metres away from the equator: it pulls strikes of low coherence
    towards north-south.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    """
    from magxr.kernels.structure import radius

    check_scales(sigma, rho, metric)
    grid, _ = describe(anomaly(obj, variable))
    on = ground(grid, sigma, rho, metric)
    down, along = (radius(on.sigma, on.rho, stretch=s) for s in (1.0, on.metric.widest))

    def work(values: Any, grid: Grid) -> Mapping[str, Any]:
        check_some(values)
        both = map_halo(
            _orientation_of_block,
            values,
            depth=(down, along),
            step="structure",
            wrap=grid.wraps,
            outputs=2,
            placed=True,
            on=on,
            stretch=between_rows(grid),
        )
        return {"coherence": both[0], "strike": both[1]}

    return derive(
        obj,
        work,
        attrs={"coherence": _COHERENCE, "strike": _STRIKE},
        step="structure",
        parameters={"sigma": on.sigma * on.height, "rho": on.rho * on.height, "metric": metric},
        variable=variable,
    )


def _orientation_of_block(
    block: NDArray[Any], *, place: Place, on: Ground, stretch: NDArray[np.float64]
) -> NDArray[Any]:
    from magxr.kernels.structure import orientation

    check_block(block)
    first = place.rows[0] - place.halo[0]
    count = block.shape[0]
    return orientation(
        block,
        on.sigma,
        on.rho,
        stretch=stretch[first : first + count + 1],
        metric=on.metric.rows(first, count),
    )
