"""Why a model answers as it does on one window: its logit, taken apart over the window's cells."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from magxr.errors import ModelError, ParameterError
from magxr.kernels.minmax import minmax
from magxr.models import attribution, engine
from magxr.models.backbones import backbone, build
from magxr.models.heads import PooledHead, read_head, sigmoid
from magxr.models.kinds import kind_of
from magxr.models.occlusion import occluded

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from magxr.models.spec import ModelSpec

    Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]

Method = Literal["additive", "gradcam", "occlusion"]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """An answer and where in the window it comes from."""

    cells: NDArray[np.float32]
    """By pixel of the window, shape (size, size). "additive": contributions, which with ``elsewhere`` sum to
    the logit. "gradcam": 0 and above, of no unit. "occlusion": fall of the logit without the part around."""
    logit: float
    elsewhere: float
    """Part of the logit that belongs to no place: the head's bias, and features of the window as a whole. NaN
    for "occlusion", which is no sum."""

    @property
    def probability(self) -> float:
        """Probability of linear."""
        return float(sigmoid(np.array(self.logit, np.float64)))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One feature map that a pooled head reads, and what the head makes of it."""

    field: NDArray[np.float32]
    """Shape (m, n, channels)."""
    stride: int
    """Pixels of the window to a cell of the map."""
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    """Of the head, for the channels' means, then for their standard deviations, shape (2 channels,)."""


def combined(parts: list[Part], size: int, bias: float, method: Method = "additive") -> Explanation:
    """Explain the answer of a pooled head on one or more feature maps of the same window.

    Parameters
    ----------
    parts : list of Part
    size : int
        Side of the window, pixels.
    bias : float
        The head's bias; add to it what features without a place contribute.
    method : {"additive", "gradcam"}

    Notes
    -----
    The mean of several heads' logits is the logit of their mean weights; of heads that standardise
    differently, explain each and average the cells.
    """
    check_method(method)
    logit, cells = bias, np.zeros((size, size))
    for part in parts:
        added = attribution.additive(part.field, part.mean, part.scale, part.weights)
        logit += float(added.sum())
        if method == "gradcam":
            slope = attribution.gradient(part.field, part.scale, part.weights)
            cells += attribution.enlarged(attribution.gradcam(part.field, slope), size, part.stride)
        else:
            cells += attribution.spread_out(added, size, part.stride)
    return Explanation(cells.astype(np.float32), logit, bias)


def explain_window(
    spec: ModelSpec, window: NDArray[np.floating], method: Method | None = None
) -> Explanation:
    """Take apart what a model says of one window.

    Parameters
    ----------
    spec : ModelSpec
        From `magxr.models.spec.load`.
    window : ndarray of float, shape (spec.window, spec.window)
        Anomaly in nT, raw; NaN as for `magxr.models.worker.predict`.
    method : {"additive", "gradcam", "occlusion"}, optional
        See `magxr.explain`.

    Raises
    ------
    ModelError
        If the window is not of the model's size, the model has another head than the pooled one, or its
        files are missing or changed.
    ParameterError
        If the method is unknown.
    """
    method = method or default_method(spec)
    check_method(method)
    if window.shape != (spec.window, spec.window) or window.dtype.kind != "f":
        msg = (
            f"expected a float window of shape ({spec.window}, {spec.window}), got {window.dtype} of "
            f"{window.shape}; the model {spec.name!r} reads no other"
        )
        raise ModelError(msg)
    spec.check()
    spec.check_reads_windows()
    if method == "occlusion":
        return _by_occlusion(spec, window)
    head = read_head(spec.head_file())
    if not isinstance(head, PooledHead) or default_method(spec) == "occlusion":
        why = "is no single logistic model on a trunk's features"
        msg = f"method {method!r} cannot explain {spec.name!r}, which {why}; use method='occlusion'"
        raise ModelError(msg)
    chosen = backbone(spec.trunk)
    field = _trunk(spec)(minmax(window[None])[..., None])[0]
    part = Part(field, chosen.stride, head.mean, head.scale, head.weights)
    return combined([part], spec.window, head.bias, method)


def default_method(spec: ModelSpec) -> Method:
    """Return the method that suits a model: an exact sum for a logistic one on a trunk, else occlusion."""
    measured = spec.head != "cnn" and kind_of(spec.features).measured is not None
    single = spec.head == "pooled" and isinstance(read_head(spec.head_file()), PooledHead)
    return "additive" if single and not measured else "occlusion"


def _by_occlusion(spec: ModelSpec, window: NDArray[np.floating]) -> Explanation:
    from magxr.models.worker import predict_members

    def logit(windows: NDArray[np.float32]) -> NDArray[np.float64]:
        p = np.clip(predict_members(spec, windows).astype(np.float64).mean(axis=0), 1e-7, 1 - 1e-7)
        return np.asarray(np.log(p / (1 - p)))

    whole = float(logit(window[None].astype(np.float32))[0])
    return Explanation(occluded(window, logit), whole, math.nan)


def check_method(method: str) -> None:
    """Refuse a method that is unknown."""
    if method not in get_args(Method):
        use = "'additive' (parts that sum to the logit), 'gradcam' or 'occlusion'"
        msg = f"method is {method!r}; use {use}"
        raise ParameterError(msg)


_trunks: dict[tuple[str, ...], Run] = {}
_turn = threading.Lock()


def _trunk(spec: ModelSpec) -> Run:
    """Return the trunk alone, from one scaled window to its feature map; built once a process."""
    path = spec.trunk_file()
    key = (spec.trunk, str(path), spec.trunk_sha256, str(spec.window))
    with _turn:
        if key not in _trunks:
            keras = engine.start()
            _trunks[key] = engine.compiled(build(keras, backbone(spec.trunk), path, spec.window))
        run = _trunks[key]

    def alone(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with _turn:
            return run(batch)

    return alone
