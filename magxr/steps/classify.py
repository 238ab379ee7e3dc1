"""Step 9, first half: slide a window over the map and ask a model how linear each one is."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

import numpy as np

from magxr.chunked.blocks import Job, Jobs, map_regions, output_chunks, reach
from magxr.chunked.plan import is_chunked
from magxr.errors import MagxrWarning, ModelError, ParameterError
from magxr.kernels.windows import Centres, centres, shares
from magxr.labelled import anomaly, canonical, on_grid
from magxr.steps.cells import filled
from magxr.steps.windows import check_window, need_xbatcher, stream

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
    from magxr.geogrid import Grid

_LEAST, _MOST = 12, 20
"""Side of an output chunk, predictions: room for the halo of 25 neighbours, and a few minutes of network."""


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


def classify(
    obj: xr.Dataset | xr.DataArray,
    *,
    model: str | Path | Predictor | Any = "default",
    stride: int = 10,
    size: int | None = None,
    max_missing: float = 0.2,
    edges: Literal["none", "pad"] = "none",
    batch: int | None = None,
    check_spacing: bool | Literal["warn"] = True,
    variable: Hashable | None = None,
) -> xr.Dataset:
    """Give the probability that the anomalies are linear, on a grid of window centres.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly, nT, on latitude and longitude; numpy or Dask. A 2-D coordinate ``filled`` (1: the cell was
        interpolated), as `magxr.grid` attaches, counts towards ``max_missing``.
    model : str, path or Predictor
        A model of the package by name, a trained head by path, a loaded spec, or any `Predictor`.
    stride : int
        Cells from one window to the next. A prediction stands for the central ``stride x stride`` cells of
        its window, so window minus stride must be even.
    size : int, optional
        Side of the window, cells; only checked, since the model fixes it.
    max_missing : float
        Largest share, 0 to 1, of a window's cells that may be missing or filled; above it, no answer.
    edges : {"none", "pad"}
        Nearer to the map's edge than half a window: no answer, or windows whose outer part is mirrored
        (mirrored cells count neither as missing nor as present).
    batch : int, optional
        Windows of one call of the network; default the model's.
    check_spacing : bool or "warn"
        Whether a map whose spacing the model was not trained for is an error, a warning, or accepted.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.Dataset
        On cells of ``stride x stride`` input cells, in the input's dim order and directions; lazy if
        ``obj`` is:

        - ``linear_probability`` (float32, 0 to 1, NaN = no answer);
        - ``missing_share`` (float32, 0 to 1, NaN where the window does not fit into the map).

    Raises
    ------
    ParameterError, GridError
        If an argument is out of range or the map is smaller than a window.
    ModelError
        If the model expects another spacing or window.

    Notes
    -----
    Windows start at multiples of the stride from the south-western corner; a position is kept if its centre
    lies in the map. Where longitude goes round the globe windows go round too, at multiples of the stride
    from longitude 0, so that a rolled map gives the rolled result.

    A Dask task makes one block of predictions: it cuts the cells it needs out of the chunks it touches,
    lets xbatcher stream the windows from memory, leaves out those without an answer, and calls the network
    by batches. Windows are the same whatever the chunking; a network's last digits may depend on the batch
    (about 1e-7).

    References
    ----------
    Ghosh et al. (2026), "Aggregating and calibrating final predictions": 250 x 250 windows, stride 10,
    prediction on the central 10 x 10 cells.
    """
    da = anomaly(obj, variable)
    values, grid, layout = canonical(da)
    predictor = _predictor(model, batch)
    _check(grid, predictor, stride, size, max_missing, edges)
    _check_spacing(grid, predictor, check_spacing)
    need_xbatcher("classifying windows")
    rows = centres(grid.shape[0], predictor.window, stride)
    columns = centres(grid.shape[1], predictor.window, stride, wrap=grid.wraps, anchor=grid.column0)
    jobs, chunks = _jobs(values, grid, rows, columns, pad=edges == "pad")
    mask = filled(da)
    arrays = [values] if mask is None else [values, mask]
    share = map_regions(_shares, arrays, jobs, chunks=chunks, dtype=np.float32, step="missing")
    probability = map_regions(
        _probabilities,
        arrays,
        jobs,
        chunks=chunks,
        dtype=np.float32,
        step="classify",
        predictor=predictor,
        batch=int(batch or predictor.batch),
        max_missing=float(max_missing),
    )
    told = {
        "model": str(getattr(predictor, "name", None) or type(predictor).__name__),
        "sha256": getattr(predictor, "sha256", None),
        "window": predictor.window,
        "stride": stride,
        "max_missing": max_missing,
        "edges": edges,
    }
    own = {k: v for k, v in told.items() if v is not None} | {"registration": "pixel"}
    history = {k: v for k, v in da.attrs.items() if k == "history"}
    fields = {
        "linear_probability": (
            probability,
            {"long_name": "probability that anomalies are linear", **own, **history},
        ),
        "missing_share": (
            share,
            {"long_name": "share of missing or interpolated cells of the window", **own, **history},
        ),
    }
    return on_grid(da, layout, _centre_grid(grid, rows, columns), fields, step="classify", parameters=told)


class _Loaded:
    """A model of the package as a `Predictor`: the spec travels, the network stays in the worker."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.window, self.batch, self.spacing = int(spec.window), int(spec.batch), spec.spacing
        self.name, self.sha256 = spec.name, spec.sha256

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        from magxr.models.worker import predict

        return predict(self.spec, windows)


def _predictor(model: Any, batch: int | None) -> Predictor:
    if batch is not None and (not isinstance(batch, int | np.integer) or batch < 1):
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


def _check(
    grid: Grid,
    predictor: Predictor,
    stride: int,
    size: int | None,
    max_missing: float,
    edges: str,
) -> None:
    if size is not None and size != predictor.window:
        fix = "leave size out, or train a model of that size"
        msg = f"size is {size}, but the model reads windows of {predictor.window} cells; {fix}"
        raise ModelError(msg)
    check_window(grid, predictor.window, stride)
    if (predictor.window - stride) % 2:
        near = [s for s in (stride - 1, stride + 1) if 1 <= s <= predictor.window]
        msg = (
            f"a window of {predictor.window} has no central {stride} x {stride} cells: window minus stride "
            f"is odd; use stride {' or '.join(map(str, near))}"
        )
        raise ParameterError(msg)
    if not 0.0 <= max_missing <= 1.0:
        msg = f"max_missing is {max_missing!r}; it is a share of a window's cells, from 0 to 1"
        raise ParameterError(msg)
    if edges not in ("none", "pad"):
        msg = f"edges is {edges!r}; use 'none' (no answer near the edge) or 'pad' (mirrored)"
        raise ParameterError(msg)


def _check_spacing(grid: Grid, predictor: Predictor, check: bool | str) -> None:
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
    msg = (
        f"the map's spacing is {have[0]:.4g} x {have[1]:.4g} arcmin, but the model expects {low:.4g} to "
        f"{high:.4g}; respace with grid(spacing=...), or pass check_spacing=False to go on all the same"
    )
    if check == "warn":
        warnings.warn(msg, MagxrWarning, stacklevel=3)
        return
    raise ModelError(msg)


def _centre_grid(grid: Grid, rows: Centres, columns: Centres) -> Grid:
    """Return the grid of predictions: cells of stride x stride input cells around the windows' centres."""
    origin = [
        start + spacing * (axis.first + axis.middle + (axis.stride - 1) / 2)
        for start, spacing, axis in zip(grid.origin, grid.spacing, (rows, columns), strict=True)
    ]
    spacing = (grid.spacing[0] * rows.stride, grid.spacing[1] * columns.stride)
    new = grid.resized((rows.count, columns.count), (origin[0], origin[1]), spacing)
    # Whatever the input's values stood for, a prediction stands for the cells around its centre.
    return replace(new, registration="pixel")


def _jobs(
    values: Any, grid: Grid, rows: Centres, columns: Centres, *, pad: bool
) -> tuple[Jobs, tuple[tuple[int, ...], tuple[int, ...]]]:
    axes = (rows, columns)
    if is_chunked(values):
        sizes = [
            output_chunks(axis.count, max(chunks) // axis.stride, least=_LEAST, most=_MOST)
            for chunks, axis in zip(values.chunks, axes, strict=True)
        ]
    else:
        sizes = [(rows.count,), (columns.count,)]
    beyond = ("mirror", "wrap" if grid.wraps else "mirror")
    parts = []
    for chunks, axis, how in zip(sizes, axes, beyond, strict=True):
        ends = np.cumsum([0, *chunks]).tolist()
        parts.append([_part(axis, a, b, pad=pad, beyond=how) for a, b in pairwise(ends)])
    jobs: Jobs = {}
    for i, (across, span_r, n_r) in enumerate(parts[0]):
        for j, (along, span_c, n_c) in enumerate(parts[1]):
            told = {
                "shape": (n_r, n_c),
                "answered": (span_r, span_c),
                "span": (across, along),
                "size": rows.size,
                "stride": rows.stride,
            }
            nothing = across is None or along is None
            jobs[i, j] = Job(None if nothing else across, None if nothing else along, told)
    return jobs, (sizes[0], sizes[1])


def _part(
    axis: Centres, lo: int, hi: int, *, pad: bool, beyond: str
) -> tuple[Reach | None, tuple[int, int], int]:
    """Return what positions ``lo`` to ``hi`` read, which of them have windows (counted from lo), and n."""
    first, last = (lo, hi) if pad else (max(lo, axis.fits[0]), min(hi, axis.fits[1]))
    if first >= last:
        return None, (0, 0), hi - lo
    start, stop = axis.reach(first, last)
    how = cast("Literal['mirror', 'wrap']", beyond)
    return reach(start, stop, axis.cells, how), (first - lo, last - lo), hi - lo


def _starts(
    answered: tuple[tuple[int, int], tuple[int, int]], stride: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = (stride * np.arange(b - a, dtype=np.int64) for a, b in answered)
    return first, second


def _missing(block: NDArray[Any], mask: NDArray[Any] | None) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = ~np.isfinite(block)
    return missing if mask is None else missing | (mask > 0)


def _shares(
    block: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    *,
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    span: tuple[Reach, Reach],
    size: int,
    stride: int,
) -> NDArray[np.float32]:
    out = np.full(shape, np.nan, dtype=np.float32)
    if block is not None:
        real = (span[0].real, span[1].real)
        inside = tuple(slice(a, b) for a, b in answered)
        out[inside] = shares(_missing(block, mask), real, size, *_starts(answered, stride))
    return out


def _probabilities(
    block: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    *,
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    span: tuple[Reach, Reach],
    size: int,
    stride: int,
    predictor: Predictor,
    batch: int,
    max_missing: float,
) -> NDArray[np.float32]:
    out = np.full(shape, np.nan, dtype=np.float32)
    if block is None:
        return out
    places = _starts(answered, stride)
    real = (span[0].real, span[1].real)
    share = shares(_missing(block, mask), real, size, *places)
    empty = shares(~np.isfinite(block), real, size, *places) >= 1.0
    wanted = np.flatnonzero((share <= max_missing) & ~empty)
    found = np.full(share.size, np.nan, dtype=np.float32)
    clean = np.where(np.isfinite(block), block, np.nan).astype(np.float32)
    generator = stream(clean, size, stride)
    for n in range(0, len(wanted), batch):
        now = wanted[n : n + batch]
        images = np.stack([generator[int(k)].values for k in now])
        found[now] = _answer(predictor, images)
    out[tuple(slice(a, b) for a, b in answered)] = found.reshape(share.shape)
    return out


def _answer(predictor: Predictor, images: NDArray[np.float32]) -> NDArray[np.float32]:
    answer = np.asarray(predictor.predict(images), dtype=np.float32)
    if answer.shape != (len(images),):
        msg = f"the model answered shape {answer.shape}, not ({len(images)},), one for each window"
        raise ModelError(msg)
    return answer
