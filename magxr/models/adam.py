"""Adam in numpy, as Keras computes it, block by block so that its work stays in cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-7
_BLOCK = 2**15
"""Numbers updated at once: five arrays of them fit into a core's cache."""


class Adam:
    """Updates arrays in place; its moments have their dtype.

    Notes
    -----
    ``m += (1 - b1)(g - m)``, ``v += (1 - b2)(g^2 - v)``,
    ``w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + 1e-7)`` with b1 = 0.9, b2 = 0.999 [1]_.

    References
    ----------
    .. [1] Kingma, D. P. and Ba, J. (2015), Adam: a method for stochastic optimization, ICLR.
    """

    def __init__(self, weights: Sequence[NDArray[Any]], rate: float) -> None:
        self.weights = [w.reshape(-1) for w in weights]
        if not all(np.shares_memory(flat, w) for flat, w in zip(self.weights, weights, strict=True)):
            msg = "arrays that are updated in place must be contiguous"
            raise ValueError(msg)
        self.rate = rate
        self.steps = 0
        self.first = [np.zeros_like(w) for w in self.weights]
        self.second = [np.zeros_like(w) for w in self.weights]

    def step(self, gradients: Sequence[NDArray[Any]]) -> None:
        """Take one step along the gradients, one array for each array of weights."""
        self.steps += 1
        rate = self.rate * np.sqrt(1 - _SECOND**self.steps) / (1 - _FIRST**self.steps)
        parts = zip(self.weights, gradients, self.first, self.second, strict=True)
        for w, g, m, v in parts:
            g = g.reshape(-1)
            kind = w.dtype.type
            for i in range(0, w.size, _BLOCK):
                b = slice(i, i + _BLOCK)
                _update(w[b], g[b], m[b], v[b], kind(rate), kind)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that the next step depends on, beside the weights."""
        moments = {"first": self.first, "second": self.second}
        found = {f"{k}{i}": a.copy() for k, arrays in moments.items() for i, a in enumerate(arrays)}
        return {"steps": np.array(self.steps), **found}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go back to what `state` returned."""
        self.steps = int(state["steps"])
        for i in range(len(self.weights)):
            self.first[i][:] = state[f"first{i}"]
            self.second[i][:] = state[f"second{i}"]


def _update(w: NDArray[Any], g: NDArray[Any], m: NDArray[Any], v: NDArray[Any], rate: Any, kind: Any) -> None:
    part = np.subtract(g, m)
    part *= kind(1 - _FIRST)
    m += part
    np.multiply(g, g, out=part)
    part -= v
    part *= kind(1 - _SECOND)
    v += part
    np.sqrt(v, out=part)
    part += kind(_EPSILON)
    np.divide(m, part, out=part)
    part *= rate
    w -= part
