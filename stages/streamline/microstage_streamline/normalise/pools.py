"""Bring windows into one form: explicit pads, and averages as sums."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.moves import gathered, transposed
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite

_IMPLIED = ("auto_pad", "ceil_mode", "count_include_pad", "storage_order")


def explicit_pads(normal: NormalGraph, node: Node, weight: Any) -> dict[str, Any]:
    """Return the node's attributes with the pads that its auto_pad means."""
    flags = dict(node.flags)
    kind = flags.pop("auto_pad", b"NOTSET")
    kind = kind.decode() if isinstance(kind, bytes) else kind
    value = normal.values.get(node.inputs[0])
    if kind in ("SAME_UPPER", "SAME_LOWER") and value is not None:
        kernel = flags.get("kernel_shape") or list(weight.shape[2:])
        ones = [1] * len(kernel)
        pads: tuple[list[int], list[int]] = ([], [])
        for size, k, s, d in zip(value.shape[2:], kernel, flags.get("strides", ones), flags.get("dilations", ones)):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            pads[0].append(small if kind == "SAME_UPPER" else large)
            pads[1].append(large if kind == "SAME_UPPER" else small)
        flags["pads"] = pads[0] + pads[1]
    elif kind not in ("NOTSET", "VALID", ""):
        raise ModelError(f"auto_pad {kind} is not known")
    return flags


def _taps(flags: Mapping[str, Any], size: int, axis: int) -> np.ndarray:
    """Return [places of the window, its values] along one axis, as places of the image.

    Beyond its ends is padding, and beyond that what rounding the number of places up (ceil_mode) makes of it: a last
    window that begins there is left out.
    """
    kernel, rank = flags["kernel_shape"][axis], len(flags["kernel_shape"])
    step, apart = (flags.get(name, [1] * rank)[axis] for name in ("strides", "dilations"))
    before, after = (flags.get("pads", [0] * 2 * rank)[axis + side] for side in (0, rank))
    free = size + before + after - apart * (kernel - 1) - 1
    if free < 0:
        raise ModelError(f"a kernel of {kernel} does not fit into {size} and its padding")
    count = (-(-free // step) if flags.get("ceil_mode", 0) else free // step) + 1
    if flags.get("ceil_mode", 0) and (count - 1) * step >= size + before:
        count -= 1
    return np.arange(count)[:, None] * step + np.arange(kernel) * apart - before


def _spatial(normal: NormalGraph, node: Node, flags: Mapping[str, Any]) -> list[np.ndarray]:
    sizes = normal.values[node.inputs[0]].shape[2:]
    return [_taps(flags, size, axis) for axis, size in enumerate(sizes)]


def _pads_of(taps: Sequence[np.ndarray], sizes: Sequence[int]) -> list[int]:
    """Return the pads that windows reach into, from the first to the last."""
    return [max(0, -int(t.min())) for t in taps] + [max(0, int(t.max()) - n + 1) for t, n in zip(taps, sizes)]


class _Pool(Rewrite):
    """Of an image whose shape is known."""

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.inputs[0] in normal.values and self.applies(normal, node)

    @abstractmethod
    def applies(self, normal: NormalGraph, node: Node) -> bool:
        """Tell whether `rewrite` applies to an image of a known shape."""


class PlainMaxPool(_Pool):
    """A largest value with the pads that its windows reach into, one output, and windows without gaps: a window with
    gaps, or one of padding alone, is of places that are gathered first (a place twice is no larger than once).
    Precondition: nobody reads the places.
    """

    operators = ("MaxPool",)

    def applies(self, normal: NormalGraph, node: Node) -> bool:
        flags = explicit_pads(normal, node, None)
        return (
            flags != node.flags
            or len(node.outputs) > 1
            or any(flags.get(name) for name in _IMPLIED)
            or self._gaps(flags)
        )

    @staticmethod
    def _gaps(flags) -> bool:
        return any(n != 1 for n in flags.get("dilations", ()))

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        if any(name and normal.is_read(name) for name in node.outputs[1:]):
            raise ModelError("the places of its largest values are read; expected the values alone")
        flags, sizes = explicit_pads(normal, node, None), normal.values[node.inputs[0]].shape[2:]
        taps, kernel = _spatial(normal, node, flags), list(flags["kernel_shape"])
        if not self._gaps(flags):
            flags = {
                "kernel_shape": kernel,
                "strides": list(flags.get("strides", [1] * len(kernel))),
                "pads": _pads_of(taps, sizes),
            }
            return [Node("MaxPool", node.inputs, node.outputs[:1], flags, node.layer)]
        inside = [_within(t, size) for t, size in zip(taps, sizes)]
        apart = f"{node.output}.apart"
        indices = {axis + 2: index.reshape(-1) for axis, index in enumerate(inside)}
        flags = {"kernel_shape": kernel, "strides": kernel}
        pooled = Node("MaxPool", [apart], node.outputs[:1], flags, node.layer)
        return [*gathered(normal, Node("MaxPool", node.inputs, [apart], {}, node.layer), indices), pooled]


def _within(taps: np.ndarray, size: int) -> np.ndarray:
    """Keep places of the image alone: those of padding become another of the same window."""
    inside = (taps >= 0) & (taps < size)
    if not inside.any(axis=1).all():
        raise ModelError("a window lies in the padding alone")
    first = np.take_along_axis(taps, inside.argmax(axis=1)[:, None], 1)
    return np.where(inside, taps, first)


class PlainAverage(_Pool):
    """An average that counts different numbers of values at different places is their sum, times what makes the numbers
    one: (sum / n) = (sum * (m / n)) / m, m the least that all n divide.
    """

    operators = ("AveragePool",)

    def applies(self, normal: NormalGraph, node: Node) -> bool:
        flags = explicit_pads(normal, node, None)
        return (
            flags != node.flags
            or any(name in flags for name in _IMPLIED)
            or any(flags.get("pads", ()))
            or PlainMaxPool._gaps(flags)
        )

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        flags, (channels, *sizes) = explicit_pads(normal, node, None), normal.values[node.inputs[0]].shape[1:]
        taps, kernel = _spatial(normal, node, flags), list(flags["kernel_shape"])
        pads, strides = _pads_of(taps, sizes), list(flags.get("strides", [1] * len(kernel)))
        if not any(pads) and not PlainMaxPool._gaps(flags):
            return [
                Node("AveragePool", node.inputs, node.outputs, {"kernel_shape": kernel, "strides": strides}, node.layer)
            ]
        given = flags.get("pads", [0] * 2 * len(kernel)) if flags.get("count_include_pad", 0) else [0] * 2 * len(kernel)
        counts = np.ones((1, 1), np.int64)
        for axis, (t, size) in enumerate(zip(taps, sizes)):
            counted = ((t >= -given[axis]) & (t < size + given[axis + len(kernel)])).sum(axis=1)
            counts = counts[..., None] * counted
        whole = int(np.lcm.reduce(np.unique(counts)))
        ones = QTensor(np.ones((channels, 1, *kernel), np.int64), np.float64(1 / whole))
        shape = {
            "strides": strides,
            "pads": pads,
            "dilations": list(flags.get("dilations", [1] * len(kernel))),
            "group": channels,
        }
        return _weighed(normal, node, ones, {**shape, "kernel_shape": kernel}, QTensor(whole // counts, np.float64(1)))


def _weighed(normal: NormalGraph, node: Node, ones: QTensor, flags: dict[str, Any], factors: QTensor) -> list[Node]:
    """Return the sum of each window, times a whole number."""
    stored = normal.constant(node.output, ones)
    if (factors.ints == 1).all():
        return [Node("Conv", [node.inputs[0], stored], node.outputs, flags, node.layer)]
    total = f"{node.output}.total"
    return [
        Node("Conv", [node.inputs[0], stored], [total], flags, node.layer),
        Node("Mul", [total, normal.constant(node.output, factors)], node.outputs, {}, node.layer),
    ]


class GlobalMaxAsPool(_Pool):
    """The largest of an image is a window over all of it."""

    operators = ("GlobalMaxPool",)

    def applies(self, normal: NormalGraph, node: Node) -> bool:
        return True

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        flags = {"kernel_shape": list(normal.values[node.inputs[0]].shape[2:])}
        return [Node("MaxPool", node.inputs, node.outputs, flags, node.layer)]


class QuantisedAverage(_Pool):
    """qonnx: the sum of a window, rounded, shifted right by as many bits as its range has more than `obits`."""

    operators = ("QuantAvgPool2d",)

    def applies(self, normal: NormalGraph, node: Node) -> bool:
        return True

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        flags, name, layer = node.flags, node.output, node.layer
        if flags.get("data_layout", b"NCHW") in (b"NHWC", "NHWC"):
            first, inner = f"{name}.first", f"{name}.pooled"
            plain = Node(node.op, [first], [inner], {**flags, "data_layout": b"NCHW"}, layer)
            return [
                transposed(node.inputs[0], first, [0, 3, 1, 2], layer),
                plain,
                transposed(inner, name, [0, 2, 3, 1], layer),
            ]
        kernel, channels = flags["kernel"], normal.values[node.inputs[0]].shape[1]
        bits = int((2 ** flags["ibits"] - 1) * kernel**2).bit_length()
        ones = normal.constant(name, QTensor(np.ones((channels, 1, kernel, kernel), np.int64), np.float64(1)))
        shape = {"kernel_shape": [kernel] * 2, "strides": [flags["stride"]] * 2, "group": channels}
        shift = normal.constant(name, np.float32(2.0 ** -max(0, bits - flags["obits"])))
        return [
            Node("Conv", [node.inputs[0], ones], [f"{name}.sum"], shape, layer),
            Node("Round", [f"{name}.sum"], [f"{name}.whole"], {}, layer),
            Node("Mul", [f"{name}.whole", shift], [f"{name}.shifted"], {}, layer),
            Node("Floor", [f"{name}.shifted"], [name], {}, layer),
        ]
