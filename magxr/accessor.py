"""The accessor ``.mag``: its methods are the public functions, called with the object that it belongs to.

Signature and documentation are the functions' own. A function is imported when its method is first looked
at, which keeps `import magxr` light.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

import xarray as xr

import magxr

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A method that is a public function; the object of the accessor is its first argument."""

    def __init__(self, find: Callable[[], Callable[Concatenate[Any, P], R]]) -> None:
        self._find = find

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, mag: Mag | None, owner: type[Mag]) -> Callable[P, R]:
        """Put a plain method in this place, so that `help` and completion see one, and return it."""
        function = self._find()

        @wraps(function)
        def method(own: Mag, *args: P.args, **kwargs: P.kwargs) -> R:
            return function(own._obj, *args, **kwargs)

        setattr(owner, self._name, method)
        found: Callable[P, R] = getattr(owner if mag is None else mag, self._name)
        return found


@xr.register_dataset_accessor("mag")
@xr.register_dataarray_accessor("mag")
class Mag:
    """Interpretation steps on gridded magnetic anomalies; holds the object and nothing else."""

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj: Any = obj

    summary = Step(lambda: magxr.summary)
    remove_outliers = Step(lambda: magxr.remove_outliers)
    grid = Step(lambda: magxr.grid)
    denoise = Step(lambda: magxr.denoise)
    diffuse = Step(lambda: magxr.diffuse)
    structure = Step(lambda: magxr.structure)
    wavelength = Step(lambda: magxr.wavelength)
    windows = Step(lambda: magxr.windows)
    classify = Step(lambda: magxr.classify)
    explain = Step(lambda: magxr.explain)
    calibrate = Step(lambda: magxr.calibrate)
    plot = Step(lambda: magxr.plot)
    tune = Step(lambda: magxr.tune)
    estimate = Step(lambda: magxr.estimate)
