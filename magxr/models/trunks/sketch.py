"""A network as plain data: its operations in order, and what follows from them without building it.

A family's module draws a trunk with `Sketch`; `magxr.models.assemble` builds what was drawn in Keras.
Tensors, parameters, stride, size of the feature map and the order in which Keras stores layers all come
from here.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Padding = Literal["same", "valid"]
Kind = Literal["convolution", "depthwise", "norm", "relu", "maximum", "mean", "zeros", "add", "join"]

PARTS = {
    "convolution": ("kernel", "bias"),
    "depthwise": ("kernel", "bias"),
    "norm": ("gamma", "beta", "mean", "variance"),
}
"""Kind of layer with weights -> its tensors in the order in which Keras keeps them."""


class Tensor(NamedTuple):
    """One array of a layer."""

    part: str
    """One of `PARTS`."""
    shape: tuple[int, ...]
    """As Keras has it: kernel (rows, columns, channels in, channels out), depthwise (rows, columns, c, 1)."""


class Layer(NamedTuple):
    """One layer with weights: what it is called, and the arrays that it needs."""

    name: str
    kind: str
    tensors: tuple[Tensor, ...]
    torch: str = ""
    """Its name in files of torchvision; empty where there is none."""
    groups: tuple[str, ...] = ()
    """Further groups of an HDF5 file that it may be stored under."""

    @property
    def kernel(self) -> tuple[int, ...]:
        """Shape of its first tensor."""
        return self.tensors[0].shape

    @property
    def parameters(self) -> int:
        """Number of values in all its tensors."""
        return sum(math.prod(t.shape) for t in self.tensors)


class Op(NamedTuple):
    """One operation of a network."""

    name: str
    kind: Kind
    inputs: tuple[int, ...]
    """Numbers of the operations it reads; the scaled image is 0, the first operation 1."""
    channels: int
    """Channels of its result."""
    size: tuple[int, int] = (1, 1)
    """Rows and columns of its kernel or pool."""
    stride: int = 1
    padding: Padding = "valid"
    """"same" as Keras means it; other paddings are operations of their own ("zeros")."""
    zeros: tuple[int, int] = (0, 0)
    """Rows and columns of zeros before and after."""
    relu: bool = False
    """Nothing below zero, in the layer itself."""
    ceiling: float | None = None
    """Nothing above it (of a relu)."""
    epsilon: float = 1e-3
    """Added to the variance (of a norm)."""
    layer: Layer | None = None
    """Its weights, if it has any."""


class Sketch:
    """A network being drawn. Every method adds one operation and returns its number."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._channels = [3]
        self._strides = [1]

    def convolution(
        self, x: int, name: str, channels: int, size: int | tuple[int, int] = 3, *, stride: int = 1,
        padding: Padding = "same", bias: bool = True, relu: bool = False, torch: str = "",
        groups: tuple[str, ...] = (),
    ) -> int:  # fmt: skip
        """Add a convolution."""
        side = (size, size) if isinstance(size, int) else size
        tensors = [Tensor("kernel", (*side, self._channels[x], channels))]
        if bias:
            tensors.append(Tensor("bias", (channels,)))
        layer = Layer(name, "convolution", tuple(tensors), torch, groups)
        op = Op(name, "convolution", (x,), channels, side, stride, padding, relu=relu, layer=layer)
        return self._add(op)

    def depthwise(
        self, x: int, name: str, *, stride: int = 1, padding: Padding = "same", torch: str = ""
    ) -> int:  # fmt: skip
        """Add a 3 x 3 convolution of every channel by itself, without bias."""
        channels = self._channels[x]
        layer = Layer(name, "depthwise", (Tensor("kernel", (3, 3, channels, 1)),), torch)
        return self._add(Op(name, "depthwise", (x,), channels, (3, 3), stride, padding, layer=layer))

    def norm(self, x: int, name: str, *, epsilon: float, scale: bool = True, torch: str = "") -> int:
        """Add a batch normalisation with stored mean and variance."""
        channels = self._channels[x]
        parts = PARTS["norm"] if scale else PARTS["norm"][1:]
        layer = Layer(name, "norm", tuple(Tensor(p, (channels,)) for p in parts), torch)
        return self._add(Op(name, "norm", (x,), channels, epsilon=epsilon, layer=layer))

    def relu(self, x: int, name: str, ceiling: float | None = None) -> int:
        """Add: nothing below zero, and nothing above the ceiling if there is one."""
        return self._add(Op(name, "relu", (x,), self._channels[x], ceiling=ceiling))

    def pool(
        self, x: int, name: str, size: int, stride: int, *, kind: Literal["maximum", "mean"] = "maximum",
        padding: Padding = "valid",
    ) -> int:  # fmt: skip
        """Add a pooling."""
        return self._add(Op(name, kind, (x,), self._channels[x], (size, size), stride, padding))

    def zeros(self, x: int, name: str, before: int, after: int) -> int:
        """Add rows and columns of zeros around."""
        return self._add(Op(name, "zeros", (x,), self._channels[x], zeros=(before, after)))

    def add(self, x: int, branch: int, name: str) -> int:
        """Add a branch to what it branched from."""
        return self._add(Op(name, "add", (x, branch), self._channels[x]))

    def join(self, xs: tuple[int, ...], name: str) -> int:
        """Put channels behind each other."""
        return self._add(Op(name, "join", xs, sum(self._channels[x] for x in xs)))

    def _add(self, op: Op) -> int:
        self.ops.append(op)
        self._channels.append(op.channels)
        self._strides.append(self._strides[op.inputs[0]] * op.stride)
        return len(self.ops)

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self._channels[-1]

    @property
    def stride(self) -> int:
        """Pixels of the window to one cell of the feature map."""
        return self._strides[-1]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer with weights, in the order drawn."""
        return tuple(op.layer for op in self.ops if op.layer is not None)

    @property
    def parameters(self) -> int:
        """Number of values in all tensors."""
        return sum(layer.parameters for layer in self.layers)

    def cells(self, window: int) -> int:
        """Return the side of the feature map of a window, 0 or less where the window is too small."""
        sides = [window]
        for op in self.ops:
            side = sides[op.inputs[0]] + sum(op.zeros)
            reach = 1 if op.padding == "same" else op.size[0]
            sides.append((side - reach) // op.stride + 1)
        return sides[-1]

    def operations(self, window: int) -> float:
        """Return the operations for one window: two for every multiplication of a convolution."""
        sides, total = [window], 0.0
        for op in self.ops:
            side = sides[op.inputs[0]] + sum(op.zeros)
            reach = 1 if op.padding == "same" else op.size[0]
            sides.append((side - reach) // op.stride + 1)
            if op.layer is not None and op.kind in ("convolution", "depthwise"):
                total += 2.0 * math.prod(op.layer.kernel) * sides[-1] ** 2
        return total

    def stored_order(self) -> tuple[Layer, ...]:
        """Return layers in the order of ``keras.Model.layers``: farthest from the end first.

        Keras sorts operations by their longest way to the output, then by when a depth-first walk from
        the output, through first inputs first, meets them. Files of Keras 3 number layers in this order.
        """
        far = [0] * (len(self.ops) + 1)
        for number in range(len(self.ops), 0, -1):
            for x in self.ops[number - 1].inputs:
                far[x] = max(far[x], far[number] + 1)
        met: dict[int, int] = {}
        walk = [len(self.ops)]
        while walk:
            number = walk.pop()
            if number not in met and number > 0:
                met[number] = len(met)
                walk.extend(reversed(self.ops[number - 1].inputs))
        order = sorted(met, key=lambda n: (-far[n], met[n]))
        return tuple(layer for n in order if (layer := self.ops[n - 1].layer) is not None)
