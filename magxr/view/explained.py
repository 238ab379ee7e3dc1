"""Figure of an explanation: the window, and over it what speaks for linear and what against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.labelled import anomaly as anomaly_of
from magxr.view import layers, maps
from magxr.view.palette import colormap
from magxr.view.screen import CELLS, pictures

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

_UNIT = 32
"""Side of the square, cells, that contributions are told for."""
_LABELS = {
    "additive": f"adds to the logit, per {_UNIT} × {_UNIT} cells",
    "occlusion": "fall of the logit without the part",
    "gradcam": "Grad-CAM",
}
_GREYS = 0.35
"""How dark the anomaly under the contributions is at most."""


def explanation_figure(
    anomaly: xr.Dataset | xr.DataArray,
    explained: xr.DataArray,
    *,
    variable: Hashable | None = None,
    limit: float | None = None,
    title: str = "",
    cells: int = CELLS,
) -> Any:
    """Draw a window and, over its relief in grey, what each part of it adds to the answer.

    Parameters
    ----------
    anomaly : xarray.Dataset or xarray.DataArray
        The map that was explained, nT.
    explained : xarray.DataArray
        What `magxr.explain` returned for it.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.
    limit : float, optional
        End of the colour bar of the contributions. Default: the 99 % quantile of their absolute values.
    title : str
        Of the first panel; default "Window".
    cells : int
        Most cells drawn along a side.

    Returns
    -------
    matplotlib.figure.Figure
        Green speaks for linear, purple against. Contributions that sum to the logit are counted per 32 x 32
        cells, about what one cell of the network's last feature map stands for, so that the numbers are of
        its size.

    Raises
    ------
    ParameterError
        If the map does not hold the cells that were explained.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    da = anomaly_of(anomaly, variable)
    method = explained.attrs.get("method", "additive")
    summed, signed = method == "additive", method != "gradcam"
    try:
        window = da.sel({d: explained[d] for d in explained.dims})
    except (KeyError, ValueError) as error:
        msg = f"the map does not hold the cells that were explained ({error}); give the map that was"
        raise ParameterError(msg) from error
    under, over = pictures(window, explained, cells=cells)
    height = maps.fitting_height(under, 3.9)
    figure = maps.blank_figure(2 * 3.9 + 2.2, height + 1.2)
    left, right = figure.subplots(1, 2)
    reach = layers.anomaly(left, under)
    told = explained.attrs
    maps.heading(left, f"a  {title or 'Window'}", f"probability of “linear” {told['probability']:.3f}")
    grey = 1.0 - _GREYS * np.clip(0.5 - 0.5 * under.values / reach, 0.0, 1.0)
    shown = {"origin": "lower", "interpolation": "nearest", "aspect": under.aspect}
    right.imshow(grey, extent=under.extent, cmap="gray", vmin=0, vmax=1, **shown)
    values = over.values * (_UNIT**2 if summed else 1)
    top = maps.symmetric_limit(values) if limit is None else float(limit)
    colours, norm = colormap("probability"), Normalize(-top, top)
    opacity = 0.15 + 0.65 * np.clip(np.abs(values) / top, 0, 1)
    right.imshow(values, extent=over.extent, cmap=colours, norm=norm, alpha=opacity, **shown)
    maps.frame(right, under)
    ends = "neither" if np.abs(values).max() <= top else "both" if signed else "max"
    label = _LABELS[method]
    bar = maps.colour_bar(right, ScalarMappable(norm, colours), label, extend=ends, extendfrac=0.03)
    if not signed:
        bar.ax.set_ylim(0, top)
    right.tick_params(labelleft=False)
    title, said = "b  For linear (green)", f"logit {told['logit']:+.2f}"
    if signed:
        title += ", against (purple)"
    if method == "occlusion":
        said += "; every part taken for missing in turn"
    if summed:
        placed = told["logit"] - told["elsewhere"]
        said += f": {placed:+.2f} from these cells, {told['elsewhere']:+.2f} without a place"
    maps.heading(right, title, said)
    return figure
