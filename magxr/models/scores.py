"""The one door for what a model is judged by: labels, probabilities, blocks, each checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def scored(labels: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return truth and probability of every window, or refuse them.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear, 0 to 1.

    Returns
    -------
    truth : ndarray of bool, shape (n,)
    probability : ndarray of float64, shape (n,)

    Raises
    ------
    ParameterError
        If lengths differ, a label is neither 0 nor 1, or a probability is no number from 0 to 1.
    """
    truth, p = np.asarray(labels), probabilities(probability)
    if truth.shape != p.shape:
        msg = f"{truth.size} labels for {p.size} probabilities; there must be one each"
        raise ParameterError(msg)
    odd = sorted({v.item() for v in np.unique(truth)} - {0, 1})
    if odd:
        msg = f"labels hold {odd[:5]}; they must be 1 (linear) or 0 (nonlinear): leave ambiguous windows out"
        raise ParameterError(msg)
    return truth == 1, p


def probabilities(probability: ArrayLike) -> NDArray[np.float64]:
    """Return probabilities as float64 of shape (n,), or refuse what is none."""
    p = np.asarray(probability, dtype=np.float64)
    if p.ndim != 1:
        msg = f"probabilities have the shape {p.shape}; there must be one number for each window, shape (n,)"
        raise ParameterError(msg)
    bad = ~((p >= 0) & (p <= 1))  # NaN too
    if bad.any():
        msg = (
            f"{int(bad.sum())} of {p.size} probabilities are not numbers from 0 to 1 (the first is "
            f"{p[bad][0]:g}); leave out windows without an answer"
        )
        raise ParameterError(msg)
    return p


def blocks(groups: ArrayLike, count: int) -> tuple[NDArray[np.int64], int]:
    """Return the block of every window as a number from 0, and how many blocks there are."""
    given = np.asarray(groups)
    if given.shape != (count,):
        msg = f"{given.size} groups for {count} windows; there must be one each"
        raise ParameterError(msg)
    names, code = np.unique(given, return_inverse=True)
    return code.astype(np.int64), int(names.size)
