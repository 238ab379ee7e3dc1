"""Where the stripes strike, and how coherent they are."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.halo import map_halo
from magxr.chunked.quantiles import check_block, check_some
from magxr.errors import MagxrWarning, ParameterError
from magxr.labelled import derive
from magxr.steps.arguments import number

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import xarray as xr
    from numpy.typing import NDArray

    from magxr.chunked.halo import Place
    from magxr.geogrid import Grid

_WIDEST = 100
"""Scale in pixels that is let pass on any grid, however small."""
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
_UNCERTAINTY = {
    "long_name": "standard deviation of the strike",
    "units": "degrees",
    "comment": "of noise that is white from cell to cell; 52 where the strike is unknown",
}


def structure(
    obj: xr.Dataset | xr.DataArray,
    *,
    sigma: float = 1.0,
    rho: float = 4.0,
    variable: Hashable | None = None,
) -> xr.Dataset:
    r"""Return how coherent the stripes are, where they strike, and how surely.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly on latitude and longitude, float32 or float64, nT.
    sigma, rho : float
        Noise scale and integration scale of the structure tensor, pixels, as in `diffuse`.
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
        ``strike_uncertainty``
            One standard deviation of the strike, degrees, 0.1 to 52 (all strikes alike). NaN where the
            strike is.

    Raises
    ------
    ParameterError
        If ``sigma`` or ``rho`` is out of its range.
    ChunkError
        If a chunk is smaller than the reach of the tensor.
    GridError
        If ``obj`` is not a grid of anomalies, or is in memory and has no data at all. When computed: if it
        holds infinite or fill values.

    Notes
    -----
    The Gaussians are those of the pixel grid. Gradients take 4 x 2 pixels, which turns stripes as narrow as
    6 pixels by less than half a degree (2 x 2, as in `diffuse`: 1.4 degrees); next to gaps 2 x 2. Noise that
    is white on the pixel grid is not so in metres away from the equator: it pulls strikes of low coherence
    towards north-south.

    The uncertainty is that of first order for noise that is white from cell to cell, as strong as
    :math:`\mu_2` says,

    .. math:: \sigma_\theta^2 = \frac{\mu_2}{(\mu_1 - \mu_2)^2}
              \left(\frac{\mu_1 - \mu_2}{N_1} + \frac{\mu_2}{N_2}\right),

    with :math:`N_1` and :math:`N_2` the independent samples in the Gaussian of ``rho`` (197 and 55 at the
    defaults; `magxr.kernels.strike_noise.samples`), fewer next to gaps and edges. It is taken on pixels,
    where the noise is isotropic; the pull towards north-south is added. Where the anisotropy may be chance
    it is 52 degrees, the standard deviation of all azimuths alike. Next to the map's edge, where the tensor
    sees a mirror image, it holds the largest turn that this may bring; 0.1 degrees are added for the
    gradients.

    In Monte Carlo over noise, widths from 6 to 40 pixels and strikes the error is 0.9 of it, rms, on the
    equator and 1.05 at 60 degrees of latitude; 0.6 for stripes of 6 pixels; up to 1.7 where noise drowns all
    stripes and ``sigma`` is below 1, from the one pixel in a hundred that looks sure by chance; 1.3 next to
    gaps where there is hardly any noise. It counts whatever :math:`\mu_2` holds as noise, so that it is
    larger where stripes bend or fork. It does not know of noise that is correlated over more than ``sigma``:
    levels between ship tracks, interpolated cells, maps that were diffused already (take it from the map
    before `diffuse`), and what the sea floor itself has beside its stripes, which is smooth at the surface:
    there the error is two to four times what is stated at 0.72 arcmin.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    """
    from magxr.kernels.structure import radius

    check_scales(sigma, rho)
    reach = radius(sigma, rho)

    def work(values: Any, grid: Grid) -> Mapping[str, Any]:
        check_fits(grid, sigma, rho)
        check_some(values)
        found = map_halo(
            _orientation_of_block,
            values,
            depth=(reach, reach),
            step="structure",
            wrap=grid.wraps,
            outputs=3,
            placed=True,
            sigma=float(sigma),
            rho=float(rho),
            stretch=_stretch(grid),
        )
        return {"coherence": found[0], "strike": found[1], "strike_uncertainty": found[2]}

    return derive(
        obj,
        work,
        attrs={"coherence": _COHERENCE, "strike": _STRIKE, "strike_uncertainty": _UNCERTAINTY},
        step="structure",
        parameters={"sigma": sigma, "rho": rho},
        variable=variable,
    )


def check_scales(sigma: Any, rho: Any) -> None:
    """Refuse scales that cannot be on any grid."""
    number("sigma", sigma, least=0, unit="pixels")
    number("rho", rho, above=0, unit="pixels")


def check_fits(grid: Grid, sigma: float, rho: float) -> None:
    """Refuse scales wider than the whole grid (metres taken for pixels); warn where they disagree."""
    for name, value in (("sigma", sigma), ("rho", rho)):
        if value > max(_WIDEST, *grid.shape):
            size = f"{grid.shape[0]} x {grid.shape[1]}"
            msg = f"{name}={value:g} is wider than the grid of {size} cells; give it in pixels, e.g. {name}=2"
            raise ParameterError(msg)
    if rho < sigma:
        msg = (
            f"rho={rho:g} is less than sigma={sigma:g} pixels: the integration scale must not be "
            "underestimated; make it at least the width of the stripes"
        )
        warnings.warn(msg, MagxrWarning, stacklevel=5)


def _orientation_of_block(
    block: NDArray[Any], *, place: Place, sigma: float, rho: float, stretch: NDArray[np.float64]
) -> NDArray[Any]:
    from magxr.kernels.strike_noise import uncertainty
    from magxr.kernels.structure import orientation

    check_block(block)
    first = place.rows[0] - place.halo[0]
    stretch = stretch[first : first + block.shape[0] + 1]
    both = orientation(block, sigma, rho, stretch=stretch)
    turned = uncertainty(both, np.isfinite(block), sigma, rho, stretch)
    return np.concatenate([both, turned[None]])


def _stretch(grid: Grid) -> NDArray[np.float64]:
    """Height over width of the cells between rows, the one across the southern edge first."""
    between = grid.latitude[:-1] + 0.5 * grid.spacing[0]
    height = grid.spacing[0] / (grid.spacing[1] * np.cos(np.radians(between)))
    return np.pad(height, 1, mode="edge")
