"""How far the members of an ensemble agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Agreement(NamedTuple):
    """What the members say together, window by window, each of shape (n,), float64."""

    mean: NDArray[np.float64]
    """Mean probability."""
    spread: NDArray[np.float64]
    """Standard deviation of the probabilities over the members; 0 where they agree, 0.5 at most for two."""
    vote: NDArray[np.float64]
    """Share of the members that call the window linear."""


def agreement(members: ArrayLike, *, threshold: float = 0.5) -> Agreement:
    """Return mean, spread and vote share of the members of an ensemble.

    Parameters
    ----------
    members : array_like of float, shape (k, n)
        Probability of linear by each of k models for n windows. NaN is no answer: a window that one member
        has no answer for has none.
    threshold : float
        Probability from which a member calls a window linear.

    Returns
    -------
    Agreement

    Raises
    ------
    ParameterError
        If the shape is another, there is no member, or a value is outside of 0 to 1.

    Notes
    -----
    The spread is that of these members (divided by k, not k - 1). It says how much the answer hangs on the
    training windows and seeds that differ between them. What all members get wrong alike it does not see
    [1]_.

    References
    ----------
    .. [1] Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017), NeurIPS 30, 6402-6413.
    """
    p = np.asarray(members, dtype=np.float64)
    if p.ndim != 2 or len(p) == 0:
        msg = f"members have the shape {p.shape}; they must be (members, windows), at least one member"
        raise ParameterError(msg)
    if ((p < 0) | (p > 1)).any():
        bad = p[(p < 0) | (p > 1)]
        msg = f"{bad.size} probabilities of members lie outside 0..1 (the first is {bad[0]:g})"
        raise ParameterError(msg)
    mean = p.mean(axis=0)
    return Agreement(mean, p.std(axis=0), np.where(np.isnan(mean), np.nan, (p >= threshold).mean(axis=0)))
