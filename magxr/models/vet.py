"""Labelled windows before training: one label each, contradictions, copies, windows that are mostly empty."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import MagxrWarning, ModelError, ParameterError
from magxr.kernels.minmax import minmax
from magxr.models.split import LEFT_OUT, TEST, TRAIN, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from magxr.models.features import Features


def check_given(windows: Any, features: Features | None, labels: NDArray[Any]) -> None:
    """Refuse nothing to train on, and windows or features that are not one for each label."""
    if windows is None and features is None:
        msg = "there are neither windows nor features to train on; give one of them"
        raise ParameterError(msg)
    for given, what in ((windows, "windows"), (features, "windows with features")):
        if given is not None and len(given) != labels.size:
            msg = f"{len(given)} {what} for {labels.size} labels; there must be one each"
            raise ParameterError(msg)


def names_of(windows: NDArray[np.floating]) -> tuple[str, ...]:
    """Return the SHA-256 of every window after min-max scaling: equal for what is the same to a network."""
    return tuple(
        hashlib.sha256(scaled.tobytes()).hexdigest()
        for first in range(0, len(windows), 64)
        for scaled in minmax(windows[first : first + 64])
    )


def check_contradictions(names: Sequence[Any], labels: NDArray[Any], what: str) -> None:
    """Refuse a window that is labelled both linear and nonlinear.

    Parameters
    ----------
    names : sequence of hashable
        Equal for windows that are the same.
    labels : ndarray of int, shape (n,)
    what : str
        What is the same about them, for the message.
    """
    first: dict[Any, int] = {}
    for i, name in enumerate(names):
        other = first.setdefault(name, i)
        if labels[other] != labels[i]:
            msg = (
                f"windows {other} and {i} {what}, but one is labelled {labels[other]} and the other "
                f"{labels[i]}; settle the contradiction, or leave both out"
            )
            raise ParameterError(msg)


def leave_out_copies(names: Sequence[Any], codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """Take out of the training set what is the same as a window held out, and so of the validation set.

    Returns new codes; -1 is left out.
    """
    new = codes.copy()
    for side, others in ((VALIDATION, (TEST,)), (TRAIN, (VALIDATION, TEST))):
        held = {names[i] for i in np.flatnonzero(np.isin(new, others)).tolist()}
        for i in np.flatnonzero(new == side).tolist():
            if names[i] in held:
                new[i] = LEFT_OUT
    return new


def check_missing(share: NDArray[np.floating], most: float) -> NDArray[np.bool_]:
    """Return which windows hold enough values to learn from; warn of the others, which are left out.

    Raises
    ------
    ParameterError
        If ``most`` is no share, or no window is left.
    """
    if not 0 <= most <= 1:
        msg = f"max_missing={most} is no share; give a number from 0 to 1"
        raise ParameterError(msg)
    enough = share <= most
    if not enough.any():
        msg = (
            f"each of {share.size} labelled windows misses more than max_missing={most:g} of its cells (the "
            f"fullest {share.min():.2g}); fill gaps with grid(), label other windows, or raise max_missing"
        )
        raise ParameterError(msg)
    if not enough.all():
        msg = (
            f"{int(np.sum(~enough))} of {share.size} labelled windows miss more than max_missing={most:g} of "
            "their cells and are left out; fill gaps with grid(), or raise max_missing"
        )
        warnings.warn(msg, MagxrWarning, stacklevel=3)
    return np.asarray(enough)


def missing_share(windows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of every window's cells that are not finite."""
    return np.array([np.mean(~np.isfinite(w)) for w in windows])


def check_finite(features: Features) -> None:
    """Refuse features that are not finite."""
    bad = sum(int(np.sum(~np.isfinite(block).all(axis=1))) for block in features.blocks())
    if bad:
        msg = f"the features of {bad} of {len(features)} windows are not finite; compute them again"
        raise ModelError(msg)
