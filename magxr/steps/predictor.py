"""What answers for a window: a model of the package, or anything with the same few names."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from magxr.errors import MagxrWarning, ModelError, ParameterError
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from magxr.geogrid import Grid


@runtime_checkable
class Predictor(Protocol):
    """What `classify` needs of a model that is not one of `magxr.models`.

    It travels inside the graph, so it should pickle small, and it may be called from several threads. If it
    has an attribute ``spacing`` (least and greatest, arcmin), the map's spacing is checked against it.
    """

    window: int
    """Side of a window, cells."""
    batch: int
    """Windows of one call."""

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of "linear" of ``(n, window, window)`` windows in nT (NaN: missing)."""
        ...


class Doubting(Protocol):
    """What ``classify(doubt=True)`` needs besides."""

    def predict_with_doubt(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers of `magxr.models.doubt.ANSWERS`, shape (4, n)."""
        ...


class _Loaded:
    """A model of the package as a `Predictor`: the spec travels, the network stays in the worker."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.window, self.batch, self.spacing = int(spec.window), int(spec.batch), spec.spacing
        self.name, self.sha256 = spec.name, spec.sha256

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        from magxr.models.worker import predict

        return predict(self.spec, windows)

    def prepare(self, windows: NDArray[np.float32]) -> Any:
        """Do to a batch what needs no network; `predict` takes the result in place of the windows."""
        from magxr.models.worker import prepare

        return prepare(self.spec, windows)

    def slicer(self, block: NDArray[np.float32]) -> Any:
        """Put a block where the network runs, to cut windows there; None where they are cut in memory."""
        from magxr.models.ondevice import slicer

        return slicer(self.spec, block)

    def check_doubt(self) -> None:
        """Refuse a model that does not know how sure it is, before any work."""
        self.spec.doubt_file()

    def predict_with_doubt(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        from magxr.models.worker import predict_with_doubt

        return predict_with_doubt(self.spec, windows)


def predictor_of(model: Any, batch: int | None) -> Predictor:
    """Return a `Predictor` for a name, a path, a loaded specification, or what is one already."""
    if batch is not None and not is_whole(batch, 1):
        msg = f"batch is {batch!r}; it must be a whole number of windows, at least 1"
        raise ParameterError(msg)
    if isinstance(model, Predictor):
        return model
    if isinstance(model, str) or hasattr(model, "__fspath__"):
        from magxr.models.spec import load

        model = load(model)
    if not all(hasattr(model, k) for k in ("window", "batch", "spacing", "name", "sha256")):
        fix = "give a model's name, the path of a trained head, or an object with window, batch and predict()"
        msg = f"model is {model!r}, which is not a model; {fix}"
        raise ModelError(msg)
    return _Loaded(replace(model, batch=int(batch)) if batch else model)


def _within(low: float, high: float) -> float:
    """Return a plain number about half way between two others."""
    middle = 0.5 * (low + high)
    plain = float(f"{middle:.2g}")
    return plain if low <= plain <= high else middle


def verify_spacing(grid: Grid, predictor: Predictor, check: bool | str) -> None:
    """Refuse, or warn of, a map whose spacing the model was not trained for."""
    if check not in (True, False, "warn"):
        msg = f"check_spacing is {check!r}; use True, False or 'warn'"
        raise ParameterError(msg)
    allowed = getattr(predictor, "spacing", None)
    if allowed is None or check is False:
        return
    have = [60.0 * s for s in grid.spacing]
    low, high = float(allowed[0]), float(allowed[1])
    if all(low * (1 - 1e-6) <= s <= high * (1 + 1e-6) for s in have):
        return
    fix = f"respace it, e.g. grid(spacing='{_within(low, high):g} arcmin') or --spacing in a run"
    msg = (
        f"the map's spacing is {have[0]:.4g} x {have[1]:.4g} arcmin, but the model expects {low:.4g} to "
        f"{high:.4g}; {fix}, or pass classify(check_spacing=False) to go on all the same"
    )
    if check == "warn":
        warnings.warn(msg, MagxrWarning, stacklevel=3)
        return
    raise ModelError(msg)
