"""Prediction in a worker: one model per process, loaded at first use, found by path and hash."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.models import architectures, engine, weights
from magxr.models.ahead import Ready, ahead, ready
from magxr.models.backbones import backbone, build
from magxr.models.doubt import ANSWERS, Doubt
from magxr.models.doubt import read as read_doubt
from magxr.models.heads import CnnHead, Ensemble, read_head
from magxr.models.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.spec import ModelSpec

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Network:
    """A compiled network; calls from several threads take turns."""

    run: Callable[[Any], NDArray[np.float32]]
    turn: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A network and, for a model, what makes probabilities of its answers: shape (members, n)."""

    network: _Network | None
    finish: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    measured: Callable[[NDArray[np.floating[Any]]], NDArray[np.float32]] | None = None
    """In the place of a network: features of windows in nT."""


_models: dict[Key, _Loaded] = {}
_networks: dict[Key, _Network] = {}
_loading = threading.Lock()
loads: list[Key] = []
"""What this process has loaded so far, in order: each model once."""


def predict(spec: ModelSpec, windows: NDArray[np.floating] | Ready) -> NDArray[np.float32]:
    """Return the probability that each window's anomalies are linear.

    Parameters
    ----------
    spec : ModelSpec
        From `magxr.models.spec.load`. The model is loaded at the first call in this process and kept.
    windows : ndarray of float, shape (n, spec.window, spec.window)
        Anomaly in nT, raw: every window is scaled by its own extremes here. NaN is allowed, see
        `magxr.kernels.minmax`; how much of it still makes an answer is for the caller to decide. Or what
        `prepare` made of a batch of them.

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
    answers = predict_members(spec, windows)
    return answers[0] if len(answers) == 1 else np.asarray(answers.mean(axis=0, dtype="f8"), np.float32)


def load(spec: ModelSpec) -> None:
    """Load a model in this process, as the first call of `predict` does."""
    _get(_key(spec), lambda: _with_head(spec))


def predict_members(spec: ModelSpec, windows: NDArray[np.floating] | Ready) -> NDArray[np.float32]:
    """Return what each member of an ensemble says: probabilities of shape (members, n).

    A single head has one member. `predict` is the mean over them, and takes and raises the same.
    """
    if not isinstance(windows, Ready):
        check_windows(windows, spec.window)
    if len(windows) == 0:
        return np.empty((1, 0), np.float32)
    model = _get(_key(spec), lambda: _with_head(spec))
    values = _features_by(model, spec, windows)
    return values if model.finish is None else model.finish(values)


def predict_with_doubt(spec: ModelSpec, windows: NDArray[np.floating] | Ready) -> NDArray[np.float32]:
    """Return the answers of `magxr.models.doubt.ANSWERS`, shape (4, n); `predict` is the first of them.

    Raises
    ------
    ModelError
        As `predict`, and if the model was made without knowing its doubt.
    """
    path = spec.doubt_file()
    if not isinstance(windows, Ready):
        check_windows(windows, spec.window)
    if len(windows) == 0:
        return np.empty((len(ANSWERS), 0), np.float32)
    model = _get(_key(spec), lambda: _with_head(spec))
    values = _features_by(model, spec, windows)
    members = values if model.finish is None else model.finish(values)
    return _doubt(path, str(spec.doubt_sha256)).answers(members, values)


@lru_cache(maxsize=8)
def _doubt(path: Path, sha256: str) -> Doubt:
    weights.check_hash(path, sha256)
    return read_doubt(path)


def features(
    trunk: str,
    windows: NDArray[np.floating],
    *,
    batch: int = 8,
    trunk_weights: str | Path | None = None,
    kind: str = "pooled",
) -> NDArray[np.float32]:
    """Return the features of windows: what a head is trained on.

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
    kind : str
        "pooled": mean, then standard deviation, of every channel of the trunk's last feature map.
        "flat": that map, flattened. See `magxr.models.kinds`.

    Returns
    -------
    ndarray of float32, shape (n, d)
    """
    size = windows.shape[-1]
    check_windows(windows, size)
    measured = kind_of(kind).measured
    if measured is not None:
        return measured(windows)
    chosen = backbone(trunk)
    if len(windows) == 0:
        return np.empty((0, 2 * chosen.channels if kind == "pooled" else 0), np.float32)
    path = chosen.weights_file(trunk_weights)
    key = ("features", trunk, str(path), kind, str(size))
    model = _get(key, lambda: _Loaded(_network(trunk, path, kind, size)))
    return _in_batches(_there(model.network), windows, batch)


def _there(network: _Network | None) -> _Network:
    assert network is not None
    return network


def check_windows(windows: NDArray[np.floating], size: int) -> None:
    """Refuse what is no stack of square windows of that size."""
    if windows.ndim != 3 or windows.shape[1:] != (size, size) or windows.dtype.kind != "f":
        msg = (
            f"expected float windows of shape (n, {size}, {size}), got {windows.dtype} of {windows.shape}; "
            f"the model reads windows of {size} x {size} pixels"
        )
        raise ModelError(msg)


def _key(spec: ModelSpec) -> Key:
    what = (spec.trunk, spec.trunk_sha256, spec.features, str(spec.window))
    return ("predict", spec.path, spec.sha256, *what)


def prepare(spec: ModelSpec, windows: NDArray[np.floating]) -> NDArray[np.floating] | Ready:
    """Do to a batch of windows what needs no network, so that it can be done while the network is busy.

    Parameters
    ----------
    spec : ModelSpec
        As in `predict`; nothing is loaded.
    windows : ndarray of float, shape (n, spec.window, spec.window)
        As in `predict`, at most ``spec.batch`` of them.

    Returns
    -------
    Ready, or ndarray
        What `predict` and the others take in their place, with the same answer: scaled windows, filled up
        to a batch. A model without a network takes the windows as they are.

    Raises
    ------
    ModelError
        If windows are not of the model's size.
    """
    check_windows(windows, spec.window)
    if kind_of(spec.features).measured is not None:
        return windows
    return ready(windows, spec.batch)


def _features_by(
    model: _Loaded, spec: ModelSpec, windows: NDArray[np.floating] | Ready
) -> NDArray[np.float32]:
    if isinstance(windows, Ready):
        return _run(_there(model.network), windows)
    if model.measured is not None:
        return model.measured(windows)
    return _in_batches(_there(model.network), windows, spec.batch)


def _get(key: Key, make: Callable[[], _Loaded]) -> _Loaded:
    with _loading:
        if key not in _models:
            _models[key] = make()
            loads.append(key)
        return _models[key]


def _network(trunk: str, path: Path, kind: str, size: int) -> _Network:
    """Return the trunk as a network that gives features; one a process, whatever the heads on it."""
    key = (trunk, str(path), weights.sha256(path), kind, str(size))
    if key not in _networks:
        chosen, wanted = backbone(trunk), kind_of(kind)
        if chosen.sha256 is not None:
            weights.check_hash(path, chosen.sha256, chosen.layers)
        keras = engine.start()
        assert wanted.network is not None
        model = wanted.network(keras, build(keras, chosen, path, size))
        _networks[key] = _Network(engine.compiled(model))
    return _networks[key]


def _with_head(spec: ModelSpec) -> _Loaded:
    spec.check()
    spec.check_reads_windows()
    head = read_head(spec.head_file())
    if isinstance(head, CnnHead):
        keras = engine.start()
        model = architectures.cnn(keras, spec.window, outputs=head.outputs)
        head.put_into(model)
        return _Loaded(_Network(engine.compiled(model)), lambda answers: answers[:, -1][None])
    measured = kind_of(spec.features).measured
    network = None if measured else _network(spec.trunk, spec.trunk_file(), spec.features, spec.window)

    def finish(values: NDArray[np.float32]) -> NDArray[np.float32]:
        if values.shape[1] != head.length:
            msg = (
                f"the head of {spec.name!r} takes {head.length} features, but the trunk {spec.trunk!r} gives "
                f"{values.shape[1]} {spec.features!r} ones; it was trained on others"
            )
            raise ModelError(msg)
        return head.by_member(values) if isinstance(head, Ensemble) else head.probability(values)[None]

    return _Loaded(network, finish, measured)


def _run(network: _Network, images: Ready) -> NDArray[np.float32]:
    with network.turn:
        return network.run(images.images)[: images.count]


def _in_batches(network: _Network, windows: NDArray[np.floating], batch: int) -> NDArray[np.float32]:
    if len(windows) <= batch:
        return _run(network, ready(windows, batch))
    found = []
    cut = (windows[first : first + batch] for first in range(0, len(windows), batch))
    with closing(ahead(ready(part, batch) for part in cut)) as batches:
        for images in batches:
            found.append(_run(network, images))
            del images  # the next but one is made as soon as the next is asked for
    return np.concatenate(found)
