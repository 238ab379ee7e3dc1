"""Build in Keras what was drawn: one functional model from a window to the feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.trunks.form import Form, Scaling
    from magxr.models.trunks.sketch import Op

_LAST = "channels_last"


def assemble(
    keras: Any, form: Form, tensors: Mapping[str, tuple[NDArray[np.float32], ...]], window: int, name: str
) -> Any:
    """Return a trunk with its weights.

    Parameters
    ----------
    keras : module
        The keras module, already started (see `magxr.models.engine`).
    form : Form
        Scaling and network.
    tensors : mapping
        Layer name -> its tensors, from `magxr.models.weights.read_layers`.
    window : int
        Side of the square input, pixels.
    name : str
        Of the model.

    Returns
    -------
    keras.Model
        From ``(n, window, window, 1)`` float32 in 0..1 to ``(n, m, m, channels)``. No layer is a model, none
        is trainable, and norms use their stored mean and variance.
    """
    image = keras.Input((window, window, 1), name="window")
    results = [scaled(keras.layers, image, form.scaling)]
    placed = []
    for op in form.sketch.ops:
        layer = layer_of(keras.layers, op)
        read = [results[x] for x in op.inputs]
        results.append(layer(read[0] if len(read) == 1 else read))
        if op.layer is not None:
            placed.append((layer, tensors[op.name]))
    model = keras.Model(image, results[-1], name=name)
    for layer, values in placed:
        layer.set_weights(list(values))
    return model


def scaled(layers: Any, image: Any, scaling: Scaling) -> Any:
    """Return an image in 0..1 as three channels, scaled as the weights were trained."""
    x = image
    if scaling.factor != 1:
        x = layers.Rescaling(scaling.factor, name=f"to_{scaling.factor:g}")(x)
    x = layers.Concatenate(name="three_channels")([x, x, x])
    scale: float | list[float] = 1.0 if set(scaling.scale) == {1.0} else list(scaling.scale)
    return layers.Rescaling(scale, list(scaling.offset), name=f"scaled_as_{scaling.name}")(x)


def layer_of(layers: Any, op: Op, dilation: int = 1) -> Any:
    """Return the layer that does an operation, without its weights; a convolution may read cells apart."""
    fixed = {"name": op.name, "trainable": False}
    moving = {"strides": op.stride, "padding": op.padding, "data_format": _LAST}
    if op.kind in ("convolution", "depthwise"):
        has_bias = op.layer is not None and len(op.layer.tensors) > 1
        shared = {"use_bias": has_bias, "activation": "relu" if op.relu else None, **moving, **fixed}
        shared["dilation_rate"] = dilation
        if op.kind == "depthwise":
            return layers.DepthwiseConv2D(op.size, depthwise_initializer="zeros", **shared)
        return layers.Conv2D(op.channels, op.size, kernel_initializer="zeros", **shared)
    if op.kind == "norm":
        scale = op.layer is not None and op.layer.tensors[0].part == "gamma"
        return layers.BatchNormalization(epsilon=op.epsilon, scale=scale, **fixed)
    if op.kind == "relu":
        return layers.ReLU(op.ceiling, name=op.name)
    if op.kind == "maximum":
        return layers.MaxPooling2D(op.size, name=op.name, **moving)
    if op.kind == "mean":
        return layers.AveragePooling2D(op.size, name=op.name, **moving)
    if op.kind == "zeros":
        return layers.ZeroPadding2D((op.zeros, op.zeros), data_format=_LAST, name=op.name)
    return layers.Add(name=op.name) if op.kind == "add" else layers.Concatenate(name=op.name)
