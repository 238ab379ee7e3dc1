"""Networks put together: a head built on a trunk's own output, never a model inside a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError, ParameterError
from magxr.models.dense_head import WIDTHS

if TYPE_CHECKING:
    from magxr.models.dense_head import DenseHead
    from magxr.models.pooled_head import PooledHead

CONVOLUTIONS = (32, 32, 64, 64)
"""Channels of the CNN's 3 x 3 convolutions; a 2 x 2 pooling and a dropout follow every second one."""
CNN_WIDTHS = (100, 100, 100, 32)
"""Units of the CNN's dense layers."""
CNN_DROPOUTS = (0.25, 0.25, 0.5)
"""After the first pooling, the second, and the first dense layer. The paper says three, and no rates."""
_COUNTED = ("Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dropout")


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


def flat_features(keras: Any, trunk: Any) -> Any:
    """Return the trunk, its feature map flattened: ``(n, m * m * channels)``, 25088 with VGG at 250 px."""
    flat = keras.layers.Flatten(data_format="channels_last", name="flatten")(trunk.output)
    return keras.Model(trunk.input, flat, name="flat_features")


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


def transfer(keras: Any, trunk: Any, *, dropout: float = 0.0, head: DenseHead | None = None) -> Any:
    """Return the paper's transfer model: a frozen trunk, Flatten, 100, 100 and 10 units, one output.

    Parameters
    ----------
    keras : module
        The keras module, already started.
    trunk : keras.Model
        Ends in a feature map; it is frozen.
    dropout : float
        Rate of a dropout after each of the three hidden layers; 0 for none. With VGG19 there are 29 layers
        with dropout and 26 without, see `layer_count`.
    head : DenseHead, optional
        Weights to put in.

    Returns
    -------
    keras.Model
        To the probability of "linear", ``(n, 1)``; 2,520,021 trainable parameters with VGG19 at 250 px.

    References
    ----------
    Ghosh et al. (2026), Figs. S1b and S1c: about 2.52 million trainable parameters. The text gives no widths;
    these are the smallest round ones that make it.
    """
    for layer in trunk.layers:
        layer.trainable = False
    x = flat_features(keras, trunk).output
    if head is not None and head.length != x.shape[-1]:
        msg = (
            f"the head takes {head.length} values but the trunk {trunk.name!r} gives {x.shape[-1]}; "
            "it was trained on another trunk or window"
        )
        raise ModelError(msg)
    widths = WIDTHS if head is None else tuple(kernel.shape[1] for kernel, _ in head.layers[:-1])
    placed = []
    for i, width in enumerate(widths, 1):
        placed.append(keras.layers.Dense(width, activation="relu", name=f"dense_{i}"))
        x = placed[-1](x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{i}")(x)
    placed.append(keras.layers.Dense(1, activation="sigmoid", name="linear_probability"))
    model = keras.Model(trunk.input, placed[-1](x), name="transfer")
    if head is not None:
        for layer, pair in zip(placed, head.layers, strict=True):
            layer.set_weights(list(pair))
    return model


def cnn(keras: Any, window: int = 250, *, outputs: int = 1, initial: str = "he_normal", seed: int = 0) -> Any:
    """Return the paper's CNN without transfer learning.

    Four 3 x 3 convolutions (32, 32, 64, 64, "same"), two 2 x 2 poolings, three dropouts, four dense layers
    (100, 100, 100, 32) and the output.

    Parameters
    ----------
    keras : module
        The keras module, already started.
    window : int
        Side of the square input, pixels, at least 4.
    outputs : {1, 2}
        1: a sigmoid, the probability of "linear". 2: a softmax, those of "nonlinear" and "linear",
        the "two probability values" of the paper.
    initial : str
        Initialiser of the kernels as Keras names them.
    seed : int
        Of the kernels and of what the dropouts leave out.

    Returns
    -------
    keras.Model
        From ``(n, window, window, 1)`` float32 in 0..1 to ``(n, outputs)``. At 250 px it has 24,690,157
        trainable parameters with one output and 24,690,190 with two.

    References
    ----------
    Ghosh et al. (2026), Fig. S1a: 24.69 million trainable parameters.
    """
    if outputs not in (1, 2):
        msg = f"outputs={outputs!r}; use 1 (a sigmoid) or 2 (a softmax over nonlinear and linear)"
        raise ParameterError(msg)
    if window < 4:
        msg = f"window={window} is too small for two poolings; give at least 4 pixels"
        raise ParameterError(msg)
    layers, seeds = keras.layers, iter(range(1000 * seed, 1000 * seed + 100))

    def start() -> Any:
        made = keras.initializers.get(initial)
        return type(made)(seed=next(seeds))

    image = x = keras.Input((window, window, 1), name="window")
    for i, channels in enumerate(CONVOLUTIONS):
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            data_format="channels_last",
            kernel_initializer=start(),
            name=f"conv_{i + 1}",
        )(x)
        if i % 2:
            x = layers.MaxPooling2D(2, data_format="channels_last", name=f"pool_{i // 2 + 1}")(x)
            x = layers.Dropout(CNN_DROPOUTS[i // 2], seed=next(seeds), name=f"dropout_{i // 2 + 1}")(x)
    x = layers.Flatten(data_format="channels_last", name="flatten")(x)
    for i, width in enumerate(CNN_WIDTHS):
        x = layers.Dense(width, activation="relu", kernel_initializer=start(), name=f"dense_{i + 1}")(x)
        if i == 0:
            x = layers.Dropout(CNN_DROPOUTS[2], seed=next(seeds), name="dropout_3")(x)
    answer = layers.Dense(
        outputs,
        activation="sigmoid" if outputs == 1 else "softmax",
        kernel_initializer=start(),
        name="probability",
    )
    return keras.Model(image, answer(x), name="cnn")


def layer_count(model: Any) -> int:
    """Return the number of layers as the paper counts: convolutions, poolings, Flatten, dense, dropouts.

    The input and the scaling of a trunk's input do not count.
    """
    return sum(type(layer).__name__ in _COUNTED for layer in model.layers)


def trainable_parameters(model: Any) -> int:
    """Return the number of parameters that training would change."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)
