"""Networks put together: a head built on a trunk's own output, never a model inside a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError

if TYPE_CHECKING:
    from magxr.models.heads import PooledHead


def pooled_features(keras: Any, trunk: Any) -> Any:
    """Return the trunk with its feature map pooled to the mean and standard deviation of every channel.

    Parameters
    ----------
    keras : module
        The keras module, already started.
    trunk : keras.Model
        Ends in a feature map ``(n, m, m, channels)``.

    Returns
    -------
    keras.Model
        To ``(n, 2 * channels)`` float32: first all means, then all standard deviations.
    """
    fields = trunk.output
    mean = keras.ops.mean(fields, axis=(1, 2), keepdims=True)
    variance = keras.ops.mean(keras.ops.square(fields - mean), axis=(1, 2))
    pooled = keras.ops.concatenate([keras.ops.squeeze(mean, axis=(1, 2)), keras.ops.sqrt(variance)], axis=-1)
    return keras.Model(trunk.input, pooled, name="pooled_features")


def pooled(keras: Any, trunk: Any, head: PooledHead) -> Any:
    """Return the trunk with the pooled head: windows to the probability of "linear", ``(n, 1)``.

    Raises
    ------
    ModelError
        If the head was trained on features of another length than this trunk gives.
    """
    features = pooled_features(keras, trunk)
    length = features.output.shape[-1]
    if head.weights.size != length:
        msg = (
            f"the head has {head.weights.size} weights but the trunk {trunk.name!r} gives {length} features; "
            "it was trained on another trunk"
        )
        raise ModelError(msg)
    # x * (1/scale) + (-mean/scale): a constant feature (infinite scale) drops out as 0 * x + 0
    inverse = 1.0 / head.scale.astype(np.float64)
    standardised = keras.layers.Rescaling(inverse, -head.mean * inverse, name="standardise")(features.output)
    dense = keras.layers.Dense(1, activation="sigmoid", trainable=False, name="linear_probability")
    output = dense(standardised)
    dense.set_weights([head.weights[:, None], np.array([head.bias], np.float32)])
    return keras.Model(trunk.input, output, name="pooled")
