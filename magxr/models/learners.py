"""Heads that learn in numpy: one step on one batch, and all that the next step depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from magxr.models.adam import Adam
from magxr.models.dense_head import WIDTHS, DenseHead
from magxr.models.pooled_head import PooledHead, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.cnn_head import CnnHead
    from magxr.models.protocol import Protocol as Training

    State = dict[str, NDArray[Any]]


class Learner(Protocol):
    """What `magxr.models.fit` needs of a head in training."""

    def step(
        self, x: NDArray[Any], y: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> None:
        """Learn from one batch: features, labels and the weight of every window."""
        ...

    def logits(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logit of "linear" of every window."""
        ...

    def state(self) -> State:
        """Return copies of all that the next step depends on."""
        ...

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        ...

    def head(self) -> PooledHead | DenseHead | CnnHead:
        """Return the head as it is now."""
        ...


class PooledLearner:
    """A logistic model on standardised features, in float64.

    Its loss is convex: it starts from zero, since a random start would only add noise to the weights.
    """

    def __init__(self, mean: NDArray[np.float32], scale: NDArray[np.float32], training: Training) -> None:
        self.training = training
        self.empty = PooledHead(mean, scale, np.zeros(mean.size, np.float32), 0.0)
        self.weights = np.zeros(mean.size + 1)  # the last one is the bias
        self.adam = Adam([self.weights], training.learning_rate)

    def step(
        self, x: NDArray[Any], y: NDArray[np.float64], weight: NDArray[np.float64], _rng: np.random.Generator
    ) -> None:
        """Learn from one batch."""
        z = self.empty.standardise(x)
        error = weight * (sigmoid(z @ self.weights[:-1] + self.weights[-1]) - y) / y.size
        gradient = np.append(error @ z + self.training.weight_decay * self.weights[:-1], error.sum())
        self.adam.step([gradient])

    def logits(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logit of every window."""
        return np.asarray(self.empty.standardise(x) @ self.weights[:-1] + self.weights[-1])

    def state(self) -> State:
        """Return copies of all that the next step depends on."""
        return {"weights": self.weights.copy(), **self.adam.state()}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        self.weights[:] = state["weights"]
        self.adam.restore(state)

    def head(self) -> PooledHead:
        """Return the head as it is now."""
        weights, bias = self.weights[:-1].astype(np.float32), float(np.float32(self.weights[-1]))
        return PooledHead(self.empty.mean, self.empty.scale, weights, bias)


class DenseLearner:
    """Dense layers with ``max(0, x)`` between them, in float32.

    Notes
    -----
    Guarded, features are shifted and scaled to ``z = (f - mean) / (scale sqrt(d))``, d being the number of
    those that are not constant. A window's z then has a length of about 1 whatever d is, so one step of Adam,
    which moves every weight by up to the learning rate, moves a unit of the first layer by up to about
    ``rate sqrt(d)``: 0.16 for the paper's 25,088 features at 0.001. On features of unit variance it would be
    ``rate d``, 25 at the first step: enough to push every unit below zero for every window, where no gradient
    brings it back. That is how such heads collapse to a constant. Weights start as He et al. (2015) do, by
    the length of what comes in: variance 2 in the first layer, 2 / (units before) in the others. Shift and
    scale are folded into the first layer when the head is done.
    """

    def __init__(
        self,
        mean: NDArray[np.float32],
        scale: NDArray[np.float32],
        training: Training,
        seed: int,
        widths: tuple[int, ...] = WIDTHS,
    ) -> None:
        self.training = training
        used = int(np.sum(np.isfinite(scale))) if training.guarded else 0
        self.mean = mean if training.guarded else np.zeros_like(mean)
        wide = scale.astype(np.float64) * np.sqrt(max(used, 1))
        self.inverse = (1.0 / wide if training.guarded else np.ones(mean.size)).astype(np.float32)
        rng = np.random.default_rng([seed, 1])  # apart from the order of windows
        self.layers = []
        for i, (before, after) in enumerate(zip((mean.size, *widths), (*widths, 1), strict=True)):
            if training.guarded:
                kernel = rng.standard_normal((before, after), np.float32)
                kernel *= np.float32(np.sqrt(2.0 / (1 if i == 0 else before)))
            else:
                limit = np.sqrt(6.0 / (before + after))
                kernel = rng.uniform(-limit, limit, (before, after)).astype(np.float32)
            self.layers.append((kernel, np.zeros(after, np.float32)))
        self.adam = Adam([a for pair in self.layers for a in pair], training.learning_rate)

    def _standardise(self, x: NDArray[Any]) -> NDArray[np.float32]:
        z = np.subtract(x, self.mean, dtype=np.float32)
        z *= self.inverse
        return np.asarray(z, np.float32)

    def step(
        self, x: NDArray[Any], y: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> None:
        """Learn from one batch."""
        inputs, kept = [self._standardise(x)], []
        for kernel, bias in self.layers[:-1]:
            units = np.maximum(inputs[-1] @ kernel + bias, np.float32(0))
            alive = (units > 0).astype(np.float32)
            if self.training.dropout:
                share = np.float32(1 - self.training.dropout)
                drawn = (rng.random(units.shape, np.float32) < share) / share
                units, alive = units * drawn, alive * drawn
            inputs.append(units)
            kept.append(alive)
        kernel, bias = self.layers[-1]
        logit = (inputs[-1] @ kernel + bias)[:, 0].astype(np.float64)
        error = (weight * (sigmoid(logit) - y) / y.size).astype(np.float32)[:, None]
        gradients: list[NDArray[np.float32]] = []
        for i in range(len(self.layers) - 1, -1, -1):
            gradient = inputs[i].T @ error
            if self.training.weight_decay:
                gradient += np.float32(self.training.weight_decay) * self.layers[i][0]
            gradients = [gradient, error.sum(axis=0), *gradients]
            if i:
                error = (error @ self.layers[i][0].T) * kept[i - 1]
        self.adam.step(gradients)

    def logits(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logit of every window."""
        units = self._standardise(x)
        for kernel, bias in self.layers[:-1]:
            units = np.maximum(units @ kernel + bias, np.float32(0))
        kernel, bias = self.layers[-1]
        return np.asarray((units @ kernel + bias)[:, 0], np.float64)

    def state(self) -> State:
        """Return copies of all that the next step depends on."""
        layers = {f"layer{i}": a.copy() for i, a in enumerate(a for pair in self.layers for a in pair)}
        return {**layers, **self.adam.state()}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        for i, array in enumerate(a for pair in self.layers for a in pair):
            array[:] = state[f"layer{i}"]
        self.adam.restore(state)

    def head(self) -> DenseHead:
        """Return the head as it is now."""
        kernel, bias = (a.astype(np.float64) for a in self.layers[0])
        folded = kernel * self.inverse.astype(np.float64)[:, None]
        shifted = bias - self.mean.astype(np.float64) @ folded
        first = (folded.astype(np.float32), shifted.astype(np.float32))
        return DenseHead((first, *((k.copy(), b.copy()) for k, b in self.layers[1:])))
