"""Windows: explicit pads, and averages in one form."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Node
from microstage_streamline.graph.normalise.rewrite import Rewrite, registered

_IMPLIED = ("auto_pad", "count_include_pad", "storage_order")


def explicit_pads(normal, node: Node, weight: Any) -> dict[str, Any]:
    """The node's attributes with the pads that its auto_pad means."""
    flags = dict(node.flags)
    kind = flags.pop("auto_pad", b"NOTSET")
    kind = kind.decode() if isinstance(kind, bytes) else kind
    value = normal.values.get(node.inputs[0])
    if kind in ("SAME_UPPER", "SAME_LOWER") and value is not None:
        kernel = flags.get("kernel_shape") or list(weight.shape[2:])
        ones = [1] * len(kernel)
        pads = [[], []]
        for size, k, s, d in zip(value.shape[2:], kernel, flags.get("strides", ones), flags.get("dilations", ones)):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            pads[0].append(small if kind == "SAME_UPPER" else large)
            pads[1].append(large if kind == "SAME_UPPER" else small)
        flags["pads"] = pads[0] + pads[1]
    elif kind not in ("NOTSET", "VALID", ""):
        raise ModelError(f"auto_pad {kind} is not known")
    return flags


@registered
class PlainPool(Rewrite):
    """A pool with explicit pads and one output, and without attributes that change nothing."""

    operators = ("MaxPool", "AveragePool")

    def matches(self, normal, node):
        return any(name in node.flags for name in _IMPLIED)

    def rewrite(self, normal, node):
        flags = explicit_pads(normal, node, None)
        if flags.get("count_include_pad") and any(flags.get("pads", ())):
            raise ModelError("an average that counts padding is not known")
        flags = {name: value for name, value in flags.items() if name not in _IMPLIED}
        return [Node(node.op, node.inputs, node.outputs[:1], flags, node.layer)]


@registered
class DropEmptyPad(Rewrite):
    """A padding of nothing, which exporters put before averages, is the tensor itself."""

    operators = ("Pad",)

    def matches(self, normal, node):
        pads = node.flags.get("pads") if len(node.inputs) < 2 else normal.graph.constants.get(node.inputs[1])
        return pads is not None and not np.any(pads)

    def rewrite(self, normal, node):
        return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]


@registered
class MeanAsPool(Rewrite):
    """The mean over all places of an image is a global average pool. Precondition: channels come first, and all axes behind them go."""

    operators = ("ReduceMean",)

    def matches(self, normal, node):
        value, axes = normal.values.get(node.inputs[0]), self._axes(normal, node)
        return (
            value is not None
            and axes is not None
            and sorted(int(a) % len(value.shape) for a in axes) == list(range(2, len(value.shape)))
        )

    def rewrite(self, normal, node):
        if node.flags.get("keepdims", 1):
            return [Node("GlobalAveragePool", node.inputs[:1], node.outputs, {}, node.layer)]
        pooled = f"{node.output}.pooled"
        return [
            Node("GlobalAveragePool", node.inputs[:1], [pooled], {}, node.layer),
            Node("Flatten", [pooled], node.outputs, {"axis": 1}, node.layer),
        ]

    @staticmethod
    def _axes(normal, node):
        return normal.values.get(node.inputs[1]) if len(node.inputs) > 1 else None
