"""Train a radial head: kernel logistic regression on landmarks, solved to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models import split as splits
from magxr.models.fit import Progress, class_weights, cross_entropy
from magxr.models.pooled_head import sigmoid
from magxr.models.radial_head import RadialHead, closeness
from magxr.models.spread import standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.protocol import Protocol
    from magxr.models.samples import Samples

    Floats = NDArray[np.float64]

LANDMARKS = 600
"""Training windows that the answer is made of, if there are so many."""
NARROWNESS = 0.66
"""Of a bump, over the number of features: half of the mean squared distance of two windows has 0.52."""
FLATNESS = 0.1
"""Of the plane: its kernel, the mean product of features, counts so much beside that of the bumps."""
LENIENCE = 10.0
"""Without a weight decay one over this and the number of training windows is taken."""
_ROWS = 1024
"""Windows whose closeness is computed at once: beside what is kept, next to nothing is held."""
_WEAKEST = 1e-6
"""Share of the largest variance below which a direction of the bumps is rounding."""
OPTIMISER = "L-BFGS to the end, binary cross-entropy"


def told(protocol: Protocol) -> dict[str, Any]:
    """Return what the report says of the protocol: what there is of it when nothing goes by epochs."""
    decay = protocol.weight_decay or f"1 / ({LENIENCE:g} x windows)"
    return {
        "weight_decay": decay,
        "balanced": protocol.balanced,
        "seed": protocol.seed,
        "landmarks": LANDMARKS,
    }


def solve(
    samples: Samples,
    labels: NDArray[Any],
    codes: NDArray[np.int8],
    protocol: Protocol,
    seed: int,
    spread: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> tuple[RadialHead, Progress]:
    """Find the head with the smallest loss on the windows whose code is "training".

    Parameters
    ----------
    samples : Samples
        Features of all windows, shape (n, d).
    labels : ndarray of int, shape (n,)
        1 linear, 0 nonlinear.
    codes : ndarray of int8, shape (n,)
        See `magxr.models.split`.
    protocol : Protocol
        Of which ``weight_decay`` and ``balanced`` count.
    seed : int
        Fixes which windows are landmarks.
    spread : (ndarray of float32, ndarray of float32)
        Mean and standard deviation of every feature over the training windows.

    Raises
    ------
    ParameterError
        If closeness to the landmarks does not fit into the memory of ``samples``.

    Notes
    -----
    A plane, and functions of a Gaussian kernel that the landmarks span (Nystroem's approximation [1]_), with
    the norm of the sum of both kernels: mean loss plus ``weight_decay / 2`` times the squared norm. The
    problem is convex, so that seeds differ by their landmarks only. It holds ``8 (k + d)``
    bytes of every training window for ``k`` landmarks and d features.

    References
    ----------
    .. [1] Williams, C. and Seeger, M. (2001), Using the Nystroem method to speed up kernel machines, NIPS 13.
    """
    rows = np.flatnonzero(codes == splits.TRAIN)
    count = min(LANDMARKS, rows.size)
    needed = 8 * (count + spread[0].size) * rows.size
    if needed > samples.memory:
        msg = (
            f"a radial head on {rows.size} training windows needs {needed / 2**30:.1f} GiB, "
            f"more than memory={samples.memory}; raise memory=, or train on fewer windows"
        )
        raise ParameterError(msg)
    chosen = np.sort(np.random.default_rng(seed).choice(rows, count, replace=False))
    # rounded as the file rounds them: the heights, found last, make up for it
    landmarks = standardised(samples.features.read(chosen), *spread).astype(np.float32)
    known = max(1, int(np.isfinite(spread[1]).sum()))
    narrowness, tilt = float(np.float32(NARROWNESS / known)), float(np.sqrt(FLATNESS / known))
    axes = _axes(landmarks, narrowness)
    order, x = np.empty_like(rows), np.empty((rows.size, axes.shape[1] + spread[0].size))
    done = 0
    for group, values in samples.in_order(rows):
        for first in range(0, len(group), _ROWS):
            z = standardised(values[first : first + _ROWS], *spread)
            now = slice(done, done + len(z))
            order[now] = group[first : first + _ROWS]
            x[now] = np.hstack([closeness(z, landmarks, narrowness) @ axes, tilt * z])
            done += len(z)
    truth = labels.astype(np.float64)
    weight = class_weights(truth, rows, protocol.balanced)[order] / rows.size
    decay = protocol.weight_decay or 1.0 / (LENIENCE * rows.size)
    found, steps = _least(x, truth[order], weight, decay)
    bumps, plane, bias = found[: axes.shape[1]], found[axes.shape[1] : -1], float(np.float32(found[-1]))
    head = RadialHead(
        *spread, (tilt * plane).astype(np.float32), landmarks, narrowness, (axes @ bumps).astype(np.float32),
        bias,
    )  # fmt: skip
    logit = x @ found[:-1] + found[-1]
    right = float(np.mean((logit >= 0) == (truth[order] == 1)))
    return head, Progress(
        epoch=steps, history=[{"loss": cross_entropy(logit, truth[order]), "accuracy": right}]
    )


def _axes(landmarks: NDArray[np.float32], narrowness: float) -> Floats:
    """Return the sums of bumps, (k, directions), that are orthonormal to the kernel."""
    from scipy.linalg import eigh

    variance, axes = eigh(closeness(landmarks, landmarks, narrowness))
    kept = variance > _WEAKEST * variance[-1]
    return np.asarray(axes[:, kept] / np.sqrt(variance[kept]), np.float64)


def _least(x: Floats, y: Floats, weight: Floats, decay: float) -> tuple[Floats, int]:
    """Return slopes, then the bias, with the smallest penalised cross-entropy, and the steps it took."""
    from scipy.optimize import minimize

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w[:-1] + w[-1]
        off = weight * (sigmoid(z) - y)
        value = np.sum(weight * (np.logaddexp(0.0, z) - y * z)) + 0.5 * decay * np.sum(w[:-1] ** 2)
        return float(value), np.append(x.T @ off + decay * w[:-1], off.sum())

    start = np.zeros(x.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "gtol": 1e-7})
    return np.asarray(found.x, np.float64), int(found.nit)
