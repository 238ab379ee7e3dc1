"""The tasks behind `magxr.steps.classify`: what a block of predictions reads, and what it does with it."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from magxr.chunked.blocks import Job, Jobs, output_chunks, reach
from magxr.chunked.plan import is_chunked
from magxr.chunked.quantiles import check_block
from magxr.errors import ModelError
from magxr.kernels.windows import shares
from magxr.models.ahead import ahead
from magxr.steps.cutting import planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
    from magxr.geogrid import Grid
    from magxr.kernels.windows import Centres
    from magxr.steps.predictor import Doubting, Predictor

_LEAST, _MOST = 12, 20
"""Side of an output chunk, predictions: room for the halo of 25 neighbours, and a few minutes of network."""


def jobs_of(
    values: Any, grid: Grid, rows: Centres, columns: Centres, *, pad: bool, most: int = _MOST
) -> tuple[Jobs, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Split the predictions into blocks and say what each block reads of the map."""
    axes = (rows, columns)
    if is_chunked(values):
        sizes = [
            output_chunks(axis.count, max(chunks) // axis.stride, least=_LEAST, most=most)
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


def starts(
    answered: tuple[tuple[int, int], tuple[int, int]], stride: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first rows and columns of the windows of a block, counted from its own first cell."""
    first, second = (stride * np.arange(b - a, dtype=np.int64) for a, b in answered)
    return first, second


def missing_cells(block: NDArray[Any], mask: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Tell which cells are missing, or were interpolated where there is a mask that says so."""
    missing: NDArray[np.bool_] = ~np.isfinite(block)
    return missing if mask is None else missing | (mask > 0)


def share_task(
    block: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    *,
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    span: tuple[Reach, Reach],
    size: int,
    stride: int,
) -> NDArray[np.float32]:
    """Return the share of missing or interpolated cells of the windows of a block; NaN: no window."""
    out = np.full(shape, np.nan, dtype=np.float32)
    if block is not None:
        real = (span[0].real, span[1].real)
        inside = tuple(slice(a, b) for a, b in answered)
        out[inside] = shares(missing_cells(block, mask), real, size, *starts(answered, stride))
    return out


def probability_task(
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
    answers: int = 0,
) -> NDArray[np.float32]:
    """Return the probabilities of a block: windows go to the model by batches; NaN: no answer.

    With ``answers`` there are as many values to a window, the first being the probability, along a dim
    before the others.
    """
    many = max(answers, 1)
    out = np.full((many, *shape), np.nan, dtype=np.float32)
    if not answers:
        out = out[0]
    if block is None:
        return out
    check_block(block, infinite=True)
    if not np.isfinite(block).any():
        return out
    places = starts(answered, stride)
    real = (span[0].real, span[1].real)
    share = shares(missing_cells(block, mask), real, size, *places)
    empty = shares(~np.isfinite(block), real, size, *places) >= 1.0
    wanted = np.flatnonzero((share <= max_missing) & ~empty)
    if not wanted.size:
        return out
    found = np.full((many, share.size), np.nan, dtype=np.float32)
    clean = np.where(np.isfinite(block), block, np.nan).astype(np.float32)
    for now, said in asked(clean, wanted, size, stride, predictor, batch, answers):
        found[:, now] = said
    (south, north), (west, east) = answered
    out[..., south:north, west:east] = found.reshape((*out.shape[:-2], *share.shape))
    return out


def asked(
    clean: NDArray[np.float32],
    wanted: NDArray[np.intp],
    size: int,
    stride: int,
    predictor: Predictor,
    batch: int,
    answers: int = 0,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Yield the numbers of the windows of every batch, counted row by row, and what the model says of them.

    While the model is at one batch the next is made.
    """
    if not wanted.size:
        return
    windows, made = planned(clean, size, stride), _maker(predictor, clean)

    def cut(now: NDArray[np.intp]) -> tuple[NDArray[np.intp], Any]:
        return now, made([windows[k] for k in now])

    parts = (wanted[n : n + batch] for n in range(0, len(wanted), batch))
    with closing(ahead(map(cut, parts))) as batches:
        for now, images in batches:
            yield now, _answer(predictor, images, answers)
            del images  # the next but one is made as soon as the next is asked for


def _maker(
    predictor: Predictor, block: NDArray[np.float32]
) -> Callable[[Sequence[tuple[slice, slice]]], Any]:
    """Return what makes a batch of the windows of a block.

    A model on a device of its own may take the block as a whole, and cut there (``slicer``). Else they are
    copied from memory, and prepared if the model can (``prepare``).
    """
    slicer, prepare = (getattr(predictor, name, None) for name in ("slicer", "prepare"))
    there: Callable[[Sequence[tuple[slice, slice]]], Any] | None = slicer(block) if slicer else None

    def in_memory(windows: Sequence[tuple[slice, slice]]) -> Any:
        images = np.stack([block[window] for window in windows])
        return images if prepare is None else prepare(images)

    return there or in_memory


def _answer(predictor: Predictor, images: Any, answers: int) -> NDArray[np.float32]:
    """Return what the model says of windows, one value each, or with ``answers`` as many."""
    if answers:
        return cast("Doubting", predictor).predict_with_doubt(images)
    answer = np.asarray(predictor.predict(images), dtype=np.float32)
    if answer.shape != (len(images),):
        msg = f"the model answered shape {answer.shape}, not ({len(images)},), one for each window"
        raise ModelError(msg)
    return answer
