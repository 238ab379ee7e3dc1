"""The forms of classification: windows one by one, one pass, or one pass and windows where it doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from magxr.chunked.blocks import map_regions
from magxr.errors import ModelError, ParameterError
from magxr.steps.arguments import is_number
from magxr.steps.sweep import asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.chunked.blocks import Jobs, Reach
    from magxr.steps.dense import DenseModel
    from magxr.steps.predictor import Predictor

Mode = Literal["windows", "dense", "auto"]


def dense_of(
    predictor: Predictor, mode: Any, *, stride: Any, edges: Any, doubt: Any, uncertain: Any
) -> DenseModel | None:
    """Return the model ready for the dense form, or None where windows are wanted; refuse what does not fit.

    Raises
    ------
    ParameterError
        If there is no such mode, or another argument does not go with it.
    ModelError
        If the model does not have the heads that the mode needs.
    """
    if mode not in get_args(Mode):
        msg = f"mode is {mode!r}; use 'windows' (one by one), 'dense' (one pass) or 'auto' (both)"
        raise ParameterError(msg)
    check_band(uncertain)
    spec = getattr(predictor, "spec", None)
    if mode == "windows":
        if spec is not None:
            spec.check_reads_windows()
        return None
    for name, value, only in (("edges", edges, "none"), ("doubt", doubt, False)):
        if value != only:
            fix = f"leave it at {only!r}, or use mode='windows'"
            msg = f"{name} is {value!r}, which mode={mode!r} does not have; {fix}"
            raise ParameterError(msg)
    if spec is None:
        msg = (
            f"a {type(predictor).__name__} answers for windows only; mode={mode!r} needs a model of magxr "
            "with a head for the dense form, e.g. 'transfer'"
        )
        raise ModelError(msg)
    from magxr.steps.dense import check_stride, dense_model

    found = dense_model(spec)
    if mode == "auto" and spec.form == "dense":
        msg = f"model {spec.name!r} has a head for the dense form only; mode='auto' needs one for windows too"
        raise ModelError(msg)
    check_stride(predictor.window, stride)
    return found


def check_band(uncertain: Any) -> None:
    """Refuse what is no band of probabilities."""
    try:
        low, high = uncertain
        good = is_number(low) and is_number(high) and 0.0 <= low <= high <= 1.0
    except (TypeError, ValueError):
        good = False
    if not good:
        msg = f"uncertain is {uncertain!r}; give the least and the greatest probability, e.g. (0.3, 0.7)"
        raise ParameterError(msg)


def rechecked(
    said: Any,
    predictor: Predictor,
    arrays: list[Any],
    jobs: Jobs,
    chunks: tuple[tuple[int, ...], tuple[int, ...]],
    *,
    uncertain: tuple[float, float],
    batch: int,
) -> tuple[Any, Any]:
    """Ask the window form where the dense answer lies in the uncertain band.

    Returns
    -------
    numpy or Dask arrays
        The probabilities, and the share of the answered windows that were asked again (a scalar; NaN where
        none was answered).
    """
    low, high = map(float, uncertain)
    again = map_regions(
        again_task, arrays, jobs, chunks=chunks, dtype=np.float32, step="again", beside=[said],
        predictor=predictor, uncertain=(low, high), batch=batch,
    )  # fmt: skip
    doubted, known = ((said >= low) & (said <= high)).sum(), np.isfinite(said).sum()
    return again, np.where(known > 0, doubted / np.maximum(known, 1), np.nan)


def again_task(
    block: NDArray[Any] | None = None,
    *others: NDArray[Any],
    shape: tuple[int, int],
    answered: tuple[tuple[int, int], tuple[int, int]],
    span: tuple[Reach, Reach],  # noqa: ARG001 (told to every kernel of a job)
    size: int,
    stride: int,
    predictor: Predictor,
    uncertain: tuple[float, float],
    batch: int,
) -> NDArray[np.float32]:
    """Return the dense probabilities of a block, those in the band replaced by what windows say."""
    if block is None:
        return np.full(shape, np.nan, np.float32)
    out = others[-1].copy()  # before it, where there is one, the mask of interpolated cells
    inside = tuple(slice(a, b) for a, b in answered)
    said = out[inside].ravel()
    wanted = np.flatnonzero((said >= uncertain[0]) & (said <= uncertain[1]))
    clean = np.where(np.isfinite(block), block, np.nan).astype(np.float32)
    for now, found in asked(clean, wanted, size, stride, predictor, batch):
        said[now] = found
    out[inside] = said.reshape(out[inside].shape)
    return out
