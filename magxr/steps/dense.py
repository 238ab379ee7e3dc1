"""Step 9 in one pass: the trunk once over the map, a head over crops of it, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.blocks import Job, Jobs, map_regions, reach
from magxr.errors import ModelError, ParameterError
from magxr.kernels.windows import shares
from magxr.models.dense import dense_trunk
from magxr.models.dense_answers import answers, check_length, extent, loaded_head
from magxr.models.trained import NO_TRUNK
from magxr.models.trunks.atrous import CELL
from magxr.steps.dense_cells import Lattice, dense_cells
from magxr.steps.sweep import missing_cells, starts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
    from magxr.kernels.windows import Centres
    from magxr.models.dense import DenseTrunk
    from magxr.models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class DenseModel:
    """A model with a head for the dense form; a few hundred bytes, which travel in the graph."""

    spec: ModelSpec
    trunk: DenseTrunk
    extent: int
    """Side, cells, of the crop that its head reads."""

    def answers(
        self, cells: NDArray[np.float32], step: int, wanted: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return what the head says of windows on cells, see `magxr.models.dense_answers.answers`."""
        head = loaded_head(*self.spec.dense_head())
        return answers(self.trunk, head, cells, self.spec.window, step, wanted)


def dense_model(spec: ModelSpec) -> DenseModel:
    """Return a model ready for the dense form.

    Raises
    ------
    ModelError
        If it has no trunk, its trunk has no dense form, or it has no head for it.
    """
    if spec.trunk == NO_TRUNK:
        msg = (
            f"model {spec.name!r} has no dense form: it has no trunk that could run once over the map, it "
            "measures window by window; use mode='windows', or model='transfer'"
        )
        raise ModelError(msg)
    trunk = dense_trunk(spec.trunk, spec.trunk_weights)
    head = loaded_head(*spec.dense_head())
    check_length(trunk, head, spec.window, spec.name)
    kind = "pooled" if head.kind == "pooled" else "flat"
    return DenseModel(spec, trunk, extent(trunk, spec.window, kind))


def check_stride(window: int, stride: Any) -> None:
    """Refuse a stride that does not fit the cells of the dense map and the middle of the window."""
    fit = [s for s in range(CELL, window + 1, CELL) if (window - s) % 2 == 0]
    if stride in fit and not isinstance(stride, bool):
        return
    if not fit:
        msg = (
            f"windows of {window} cells have no middle of 8, 16, ... cells; the dense form needs an even size"
        )
        raise ParameterError(msg)
    near = sorted(sorted(fit, key=lambda s: abs(s - stride))[:3]) if isinstance(stride, int) else fit[:3]
    msg = (
        f"stride {stride!r} does not fit the dense form, whose cells are {CELL} apart: use a multiple of "
        f"{CELL}, e.g. {', '.join(map(str, near))}"
    )
    raise ParameterError(msg)


def lattices(rows: Centres, columns: Centres, extent: int, *, wraps: bool) -> tuple[Lattice, Lattice]:
    """Return the cells that the windows of a map look at: every window starts at one."""
    found = []
    for axis, around in ((rows, False), (columns, wraps)):
        if around:
            found.append(Lattice(axis.first % CELL, axis.cells // CELL, axis.cells, True))
            continue
        low, high = axis.start(axis.fits[0]), axis.start(axis.fits[1] - 1)
        found.append(Lattice(low, (high - low) // CELL + extent, axis.cells))
    return found[0], found[1]


def answered(
    model: DenseModel,
    arrays: list[Any],
    jobs: Jobs,
    chunks: tuple[tuple[int, ...], tuple[int, ...]],
    axes: tuple[Centres, Centres],
    *,
    wraps: bool,
    max_missing: float,
) -> Any:
    """Return the probability of every window that may have an answer; lazy if the map is.

    Parameters
    ----------
    model : DenseModel
    arrays : list of 2-D numpy or Dask arrays
        The anomaly, nT, and where there is one the mask of interpolated cells.
    jobs, chunks
        Of the windows, from `magxr.steps.sweep.jobs_of`.
    axes : (Centres, Centres)
        Where the windows are.
    wraps : bool
        Whether longitude goes round.
    max_missing : float
        Largest share of missing or interpolated cells.
    """
    wanted = map_regions(
        wanted_task, arrays, jobs, chunks=chunks, dtype=bool, step="wanted", max_missing=max_missing
    )
    places = lattices(*axes, model.extent, wraps=wraps)
    cells = dense_cells(arrays[0], places, model.trunk, model.spec.window)
    parts = []
    for axis, place, sizes in zip(axes, places, chunks, strict=True):
        ends = np.cumsum([0, *sizes]).tolist()
        parts.append([_part(axis, place, model.extent, a, b) for a, b in pairwise(ends)])
    own: Jobs = {
        (i, j): Job(across if along else None, along if across else None, {"answered": (tall, wide)})
        for i, (across, tall) in enumerate(parts[0])
        for j, (along, wide) in enumerate(parts[1])
    }
    for (i, j), job in own.items():
        own[i, j] = Job(job.rows, job.columns, {**job.told, "shape": (chunks[0][i], chunks[1][j])})
    return map_regions(
        answer_task, [cells], own, chunks=chunks, dtype=np.float32, step="dense", beside=[wanted],
        model=model, step_cells=axes[0].stride // CELL,
    )  # fmt: skip


def _part(
    axis: Centres, place: Lattice, extent: int, lo: int, hi: int
) -> tuple[Reach | None, tuple[int, int]]:
    """Return the cells under the windows ``lo`` to ``hi`` that fit, and which these are, counted from lo."""
    first, last = max(lo, axis.fits[0]), min(hi, axis.fits[1])
    if first >= last:
        return None, (0, 0)
    start = (axis.start(first) - place.first) // CELL
    stop = (axis.start(last - 1) - place.first) // CELL + extent
    return reach(start, stop, place.count, "wrap" if place.wraps else "refuse"), (first - lo, last - lo)


def wanted_task(
    block: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    *,
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    span: tuple[Reach, Reach],
    size: int,
    stride: int,
    max_missing: float,
) -> NDArray[np.bool_]:
    """Tell which windows of a block may have an answer: enough cells, and one that is not missing."""
    out = np.zeros(shape, bool)
    if block is not None:
        real, places = (span[0].real, span[1].real), starts(answered, stride)
        enough = shares(missing_cells(block, mask), real, size, *places) <= max_missing
        some = shares(~np.isfinite(block), real, size, *places) < 1.0
        out[tuple(slice(a, b) for a, b in answered)] = enough & some
    return out


def answer_task(
    cells: NDArray[np.float32] | None = None,
    wanted: NDArray[np.bool_] | None = None,
    *,
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    model: DenseModel,
    step_cells: int,
) -> NDArray[np.float32]:
    """Return the probabilities of a block of windows from the cells under them; NaN: no answer."""
    out = np.full(shape, np.nan, np.float32)
    if cells is not None and wanted is not None:
        inside = tuple(slice(a, b) for a, b in answered)
        out[inside] = model.answers(cells, step_cells, wanted[inside])
    return out
