"""What each cell of a feature map adds to a head's answer, by the head's own arithmetic.

Plain arrays only: a feature map ``(m, n, channels)`` and the weights that a head gives to what it makes of
it. A head that reads several maps is taken map by map, each with its slice of the weights; what they add is
then summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Real = NDArray[np.floating]
    Doubles = NDArray[np.float64]


def additive(field: Real, mean: Real, scale: Real, weights: Real) -> Doubles:
    """Return what each cell adds to the logit of a pooled head: an exact sum, no approximation.

    Parameters
    ----------
    field : ndarray of float, shape (m, n, c)
        Feature map.
    mean, scale, weights : ndarray of float, shape (2 c,)
        Of the head, for the channels' means, then for their standard deviations: the logit is
        ``bias + sum weights (f - mean) / scale`` (see `magxr.models.heads.PooledHead`). An infinite scale
        leaves a feature out.

    Returns
    -------
    ndarray of float64, shape (m, n)
        Their sum is the logit minus the bias, that is minus the logit of a window whose features are the
        mean of the training's. Positive speaks for linear.

    Notes
    -----
    Over the ``M = m n`` cells a mean is the sum of ``F / M``, and a standard deviation ``s`` the sum of
    ``(F - mean)^2 / (M s)``; the head's ``mean`` is shared out evenly. So a cell adds to a deviation by how
    far it departs, to whichever side.
    """
    flat, average, deviation = _pooled(field)
    share = weights.astype(np.float64) / scale
    width = field.shape[-1]
    _check(share, width)
    inverse = _inverse(average, deviation)
    from_means = flat @ share[:width]
    from_deviations = (flat - average) ** 2 @ (share[width:] * inverse)
    even = float(share @ mean.astype(np.float64))
    cells: Doubles = (from_means + from_deviations - even) / len(flat)
    return cells.reshape(field.shape[:2])


def gradient(field: Real, scale: Real, weights: Real) -> Doubles:
    """Return the derivative of a pooled head's logit by every value of the feature map.

    Parameters
    ----------
    field : ndarray of float, shape (m, n, c)
    scale, weights : ndarray of float, shape (2 c,)
        As for `additive`.

    Returns
    -------
    ndarray of float64, shape (m, n, c)
        ``w_mean / (scale M) + w_deviation (F - mean) / (scale M s)``; 0 in the second part where a channel
        does not vary.
    """
    flat, average, deviation = _pooled(field)
    share = weights.astype(np.float64) / scale / len(flat)
    width = field.shape[-1]
    _check(share, width)
    inverse = _inverse(average, deviation)
    slope: Doubles = share[:width] + share[width:] * (flat - average) * inverse
    return slope.reshape(field.shape)


def gradcam(field: Real, slope: Real) -> Doubles:
    """Return the Grad-CAM map: channels weighed by their mean derivative, what speaks against cut off.

    Parameters
    ----------
    field, slope : ndarray of float, shape (m, n, c)
        Feature map, and the logit's derivative by it.

    Returns
    -------
    ndarray of float64, shape (m, n)
        ``max(0, sum_c a_c F_c)`` with ``a_c`` the mean of the slope over the cells [1]_. Of a pooled head
        the deviations drop out: their slopes have mean 0. The values are no parts of the logit.

    References
    ----------
    .. [1] Selvaraju, R. R. et al. (2017), "Grad-CAM", ICCV, 618-626.
    """
    alpha = np.asarray(slope, np.float64).mean(axis=(0, 1))
    return np.asarray(np.maximum(np.asarray(field, np.float64) @ alpha, 0.0), np.float64)


def dense_gradient(values: Real, layers: Sequence[tuple[Real, Real]]) -> tuple[float, Doubles]:
    """Return the logit of a stack of dense layers with relu between them, and its derivative by the input.

    Parameters
    ----------
    values : ndarray of float, shape (d,)
        What the first layer reads.
    layers : sequence of (kernel, bias)
        Kernels of shape (inputs, outputs); the last has one output, the logit, without relu.

    Returns
    -------
    logit : float
    gradient : ndarray of float64, shape (d,)
        Exact at this input: the network is linear around it. At a kink of relu, the slope of its flat side.
    """
    x, jacobian = np.asarray(values, np.float64), []
    for number, (kernel, bias) in enumerate(layers):
        if kernel.shape[0] != x.size:
            msg = f"dense layer {number} reads {kernel.shape[0]} values and is given {x.size}"
            raise ModelError(msg)
        x = x @ kernel.astype(np.float64) + bias
        live = np.ones(x.size, bool) if number + 1 == len(layers) else x > 0
        x = np.where(live, x, 0.0)
        jacobian.append((kernel, live))
    if x.size != 1:
        msg = f"the dense layers end in {x.size} values; they must end in one, the logit"
        raise ModelError(msg)
    back = np.ones(1)
    for kernel, live in reversed(jacobian):
        back = kernel.astype(np.float64) @ (back * live)
    return float(x[0]), back


def additive_dense(field: Real, slope: Real, logit: float) -> tuple[Doubles, float]:
    """Return what each cell adds to the logit of a dense head, and the rest that no cell adds.

    Parameters
    ----------
    field, slope : ndarray of float, shape (m, n, c)
        Feature map as the head reads it (standardised, if it is), and the logit's derivative by it.
    logit : float

    Returns
    -------
    cells : ndarray of float64, shape (m, n)
        ``sum_c slope F``.
    rest : float
        Logit minus their sum. A network of relu layers is linear around its input, so this is its intercept
        there: what its biases come to along the units that are awake. Unlike a pooled head's bias it is not
        the same for every window.
    """
    cells: Doubles = np.einsum("ijc,ijc->ij", np.asarray(field, np.float64), slope)
    return cells, logit - float(cells.sum())


def spread_out(cells: Real, size: int, stride: int) -> Doubles:
    """Share out cells of a feature map over the pixels of the window, bilinearly, keeping the sum.

    Parameters
    ----------
    cells : ndarray of float, shape (m, n)
        Contributions. Cell i stands over the pixels ``stride i`` to ``stride i + stride - 1``.
    size : int
        Side of the window, pixels.
    stride : int
        Pixels of the window to a cell.

    Returns
    -------
    ndarray of float64, shape (size, size)
        Contribution of every pixel, with the same sum. Pixels beyond the last cell go with the last: pooling
        drops them, but the convolutions saw them.
    """
    rows, columns = (_weights(count, size, stride) for count in cells.shape)
    even = cells / np.multiply.outer(rows.sum(axis=0), columns.sum(axis=0))
    return np.asarray(rows @ even @ columns.T, np.float64)


def enlarged(cells: Real, size: int, stride: int) -> Doubles:
    """Interpolate cells of a feature map to the pixels of the window; as `spread_out`, keeping values."""
    rows, columns = (_weights(count, size, stride) for count in cells.shape)
    return np.asarray(rows @ cells @ columns.T, np.float64)


def _weights(count: int, size: int, stride: int) -> Doubles:
    """Return how much of each cell each pixel takes, (size, count): straight lines from centre to centre."""
    centres = np.minimum(stride * np.arange(count) + (stride - 1) / 2, size - 1)
    pixels = np.arange(size)
    return np.stack([np.interp(pixels, centres, unit) for unit in np.eye(count)], axis=1)


def _pooled(field: Real) -> tuple[Doubles, Doubles, Doubles]:
    """Return the map as (cells, channels), with mean and standard deviation of every channel."""
    flat = np.asarray(field, np.float64).reshape(-1, field.shape[-1])
    return flat, flat.mean(axis=0), flat.std(axis=0)


def _inverse(average: Doubles, deviation: Doubles) -> Doubles:
    """Return one over the deviations; 0 where a channel is constant and its deviation mere rounding."""
    varies = deviation > 1e-9 * np.abs(average)
    return np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)


def _check(share: Doubles, width: int) -> None:
    if share.size != 2 * width:
        msg = f"a pooled head of {share.size} weights does not fit {width} channels: it needs {2 * width}"
        raise ModelError(msg)
