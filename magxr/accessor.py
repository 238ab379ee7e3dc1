"""The accessor ``.mag``: each method is one call of the plain function of the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    Labelled = xr.Dataset | xr.DataArray


@xr.register_dataset_accessor("mag")
@xr.register_dataarray_accessor("mag")
class Mag:
    """Interpretation steps on gridded magnetic anomalies; holds the object and nothing else."""

    def __init__(self, obj: Labelled) -> None:
        self._obj = obj
