"""magxr: interpret gridded marine magnetic anomalies with xarray and Dask.

Importing magxr registers the accessor ``.mag`` on `xarray.Dataset` and `xarray.DataArray`. Everything else
is loaded when it is first used, so the import stays as light as xarray's own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from magxr import accessor, errors  # importing the accessor registers `.mag`
from magxr._version import __version__

_HOME = {
    "remove_outliers": "magxr.steps.outliers",
    "summary": "magxr.steps.outliers",
    "grid": "magxr.steps.gridding",
    "grid_points": "magxr.steps.gridding",
    "suggest_spacing": "magxr.steps.gridding",
    "denoise": "magxr.steps.lowrank",
    "diffuse": "magxr.steps.diffusion",
    "structure": "magxr.steps.diffusion",
    "wavelength": "magxr.steps.wavelength",
    "windows": "magxr.steps.windows",
    "label_windows": "magxr.steps.labels",
    "classify": "magxr.steps.classify",
    "explain": "magxr.steps.explain",
    "calibrate": "magxr.steps.calibrate",
    "percent_linear": "magxr.steps.percent",
    "plot": "magxr.view.plot",
    "tune": "magxr.studies.tuning",
    "open_region": "magxr.io.catalog",
    "regions": "magxr.io.catalog",
    "backbones": "magxr.models.availability",
    "open_anomaly": "magxr.io.read",
    "run": "magxr.runs.pipeline",
    "estimate": "magxr.runs.estimate",
}
"""Public function -> module that defines it, imported on first use."""

__all__ = ["__version__", "accessor", "errors", *_HOME]

if TYPE_CHECKING:  # so that type checkers and editors see what `__getattr__` finds
    from magxr.io.catalog import open_region as open_region
    from magxr.io.catalog import regions as regions
    from magxr.io.read import open_anomaly as open_anomaly
    from magxr.models.availability import backbones as backbones
    from magxr.runs.estimate import estimate as estimate
    from magxr.runs.pipeline import run as run
    from magxr.steps.calibrate import calibrate as calibrate
    from magxr.steps.classify import classify as classify
    from magxr.steps.diffusion import diffuse as diffuse
    from magxr.steps.diffusion import structure as structure
    from magxr.steps.explain import explain as explain
    from magxr.steps.gridding import grid as grid
    from magxr.steps.gridding import grid_points as grid_points
    from magxr.steps.gridding import suggest_spacing as suggest_spacing
    from magxr.steps.labels import label_windows as label_windows
    from magxr.steps.lowrank import denoise as denoise
    from magxr.steps.outliers import remove_outliers as remove_outliers
    from magxr.steps.outliers import summary as summary
    from magxr.steps.percent import percent_linear as percent_linear
    from magxr.steps.wavelength import wavelength as wavelength
    from magxr.steps.windows import windows as windows
    from magxr.studies.tuning import tune as tune
    from magxr.view.plot import plot as plot


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    msg = f"module 'magxr' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
