"""The CNN learns in Keras, batch by batch, and keeps all that the next batch depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.minmax import minmax
from magxr.models import architectures, engine
from magxr.models.cnn_head import CnnHead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.learners import State
    from magxr.models.protocol import Protocol

_ROWS = 32
_SMALLEST = 1e-7
"""Distance from 0 and 1 within which Keras' cross-entropy takes probabilities for the same."""


class CnnLearner:
    """`magxr.models.architectures.cnn` in training; it reads windows, one row of cells each."""

    def __init__(self, window: int, training: Protocol, seed: int, outputs: int = 1) -> None:
        keras = engine.start()
        self.window, self.outputs = window, outputs
        self.model = architectures.cnn(
            keras,
            window,
            outputs=outputs,
            initial="he_normal" if training.guarded else "glorot_uniform",
            seed=seed,
        )
        self.model.compile(
            optimizer=keras.optimizers.Adam(training.learning_rate),
            loss="binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy",
            jit_compile=keras.backend.backend() == "jax",
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def _image(self, x: NDArray[Any]) -> NDArray[np.float32]:
        return minmax(np.asarray(x).reshape(-1, self.window, self.window))[..., None]

    def step(
        self, x: NDArray[Any], y: NDArray[np.float64], weight: NDArray[np.float64], _rng: np.random.Generator
    ) -> None:
        """Learn from one batch."""
        truth = y.astype(np.float32)[:, None] if self.outputs == 1 else y.astype(np.int32)
        self.model.train_on_batch(self._image(x), truth, sample_weight=weight.astype(np.float32))

    def logits(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logit of every window."""
        found = []
        for first in range(0, len(x), _ROWS):
            image = self._image(x[first : first + _ROWS])
            count = len(image)
            if count < _ROWS:  # one shape, compiled once
                image = np.concatenate([image, np.zeros((_ROWS - count, *image.shape[1:]), np.float32)])
            found.append(np.asarray(self.model.predict_on_batch(image), np.float64)[:count, -1])
        p = np.clip(np.concatenate([np.empty(0), *found]), _SMALLEST, 1 - _SMALLEST)
        return np.asarray(np.log(p) - np.log1p(-p))

    def _variables(self) -> list[Any]:
        # of the model: weights and the states of the dropouts' random numbers
        return [*self.model.variables, *self.model.optimizer.variables]

    def state(self) -> State:
        """Return copies of all that the next step depends on."""
        keras = engine.start()
        return {f"{i}": np.array(keras.ops.convert_to_numpy(v)) for i, v in enumerate(self._variables())}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        for i, variable in enumerate(self._variables()):
            variable.assign(state[f"{i}"])

    def head(self) -> CnnHead:
        """Return the head as it is now."""
        pairs = [layer.get_weights() for layer in self.model.layers if isinstance(layer.weights, list)]
        return CnnHead(tuple((p[0], p[1]) for p in pairs if len(p) == 2))
