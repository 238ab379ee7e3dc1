"""Prediction in a worker: one model per process, loaded at first use, found by path and hash."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ModelError
from magxr.kernels.minmax import minmax
from magxr.models import architectures, engine, weights
from magxr.models.backbones import backbone, build
from magxr.models.heads import read_head

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.spec import ModelSpec

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    turn: threading.Lock = field(default_factory=threading.Lock)


_models: dict[Key, _Loaded] = {}
_loading = threading.Lock()
loads: list[Key] = []
"""What this process has loaded so far, in order: each model once."""


def predict(spec: ModelSpec, windows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the probability that each window's anomalies are linear.

    Parameters
    ----------
    spec : ModelSpec
        From `magxr.models.spec.load`. The model is loaded at the first call in this process and kept.
    windows : ndarray of float, shape (n, spec.window, spec.window)
        Anomaly in nT, raw: every window is scaled by its own extremes here. NaN is allowed, see
        `magxr.kernels.minmax`; how much of it still makes an answer is for the caller to decide.

    Returns
    -------
    ndarray of float32, shape (n,)
        Probability of "linear", 0..1.

    Raises
    ------
    ModelError
        If windows are not of the model's size, or the model's files are missing or changed.

    Notes
    -----
    Windows run in batches of ``spec.batch``, the last one padded, so that a window's probability does not
    depend (beyond 1e-5, float32 rounding) on how many came with it. Calls from several threads take
    turns; `magxr.models.engine.threads` says how many threads each turn uses.
    """
    _check(windows, spec.window)
    if len(windows) == 0:
        return np.empty(0, np.float32)
    key = ("predict", spec.path, spec.sha256, spec.trunk, spec.trunk_sha256, str(spec.window))
    model = _get(key, lambda: _with_head(spec))
    return _in_batches(model, windows, spec.batch)[:, 0]


def features(
    trunk: str,
    windows: NDArray[np.floating],
    *,
    batch: int = 8,
    trunk_weights: str | Path | None = None,
) -> NDArray[np.float32]:
    """Return the pooled features of windows: what the head is trained on.

    Parameters
    ----------
    trunk : str
        Name of the trunk, e.g. "vgg16-hed".
    windows : ndarray of float, shape (n, size, size)
        Anomaly in nT, raw; see `predict`.
    batch : int
        Windows run at once.
    trunk_weights : str or Path, optional
        Local weights file, for a trunk that no installed package brings.

    Returns
    -------
    ndarray of float32, shape (n, d)
        Mean, then standard deviation, of every channel of the trunk's last feature map.
    """
    chosen = backbone(trunk)
    size = windows.shape[-1]
    _check(windows, size)
    if len(windows) == 0:
        return np.empty((0, 2 * chosen.channels), np.float32)
    path = chosen.weights_file(trunk_weights)
    model = _get(("features", trunk, str(path), str(size)), lambda: _features_only(trunk, path, size))
    return _in_batches(model, windows, batch)


def _check(windows: NDArray[np.floating], size: int) -> None:
    if windows.ndim != 3 or windows.shape[1:] != (size, size) or windows.dtype.kind != "f":
        msg = (
            f"expected float windows of shape (n, {size}, {size}), got {windows.dtype} of {windows.shape}; "
            f"the model reads windows of {size} x {size} pixels"
        )
        raise ModelError(msg)


def _get(key: Key, make: Callable[[], _Loaded]) -> _Loaded:
    with _loading:
        if key not in _models:
            _models[key] = make()
            loads.append(key)
        return _models[key]


def _features_only(trunk: str, path: Path, size: int) -> _Loaded:
    chosen = backbone(trunk)
    if chosen.sha256 is not None:
        weights.check_hash(path, chosen.sha256, chosen.layers)
    keras = engine.start()
    return _Loaded(engine.compiled(architectures.pooled_features(keras, build(keras, chosen, path, size))))


def _with_head(spec: ModelSpec) -> _Loaded:
    spec.check()
    head = read_head(spec.head_file())
    keras = engine.start()
    trunk = build(keras, backbone(spec.trunk), spec.trunk_file(), spec.window)
    return _Loaded(engine.compiled(architectures.pooled(keras, trunk, head)))


def _in_batches(model: _Loaded, windows: NDArray[np.floating], batch: int) -> NDArray[np.float32]:
    found = []
    for first in range(0, len(windows), batch):
        scaled = minmax(windows[first : first + batch])
        count = len(scaled)
        if count < batch:
            scaled = np.concatenate([scaled, np.zeros((batch - count, *scaled.shape[1:]), np.float32)])
        with model.turn:
            found.append(model.run(scaled[..., None])[:count])
    return np.concatenate(found)
