"""Split windows over three axes: products into one image for each place of the first axis, pools into one axis after
the others.
"""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.moves import reshaped
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite

_MOST_IMAGES = 64


class _OfVolume(Rewrite):
    """Of [n, C, D, H, W], whose shape is known. Precondition: pads are explicit."""

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        value = normal.values.get(node.inputs[0])
        return (
            value is not None
            and not normal.is_constant(node.inputs[0])
            and len(value.shape) == 5
            and "auto_pad" not in node.flags
        )


class VolumeAsImages(_OfVolume):
    """Place d of conv(x, w) is conv(x', w'): x' [n, C kernel, H, W] the slices of x that it sees, as channels; w'
    likewise.
    """

    operators = ("Conv",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        (_, channels, depth, height, width), (_, weight, *bias) = normal.values[node.inputs[0]].shape, node.inputs
        if not normal.is_constant(weight):
            raise ModelError("its weights are computed; expected constants")
        taps, flags = normal.values[weight].shape[2], node.flags
        strides, apart = (flags.get(key, [1, 1, 1]) for key in ("strides", "dilations"))
        pads = flags.get("pads", [0] * 6)
        places = (depth + pads[0] + pads[3] - apart[0] * (taps - 1) - 1) // strides[0] + 1
        if places > _MOST_IMAGES:
            raise ModelError(f"it slides over {places} places of its first axis; at most {_MOST_IMAGES} can be made")
        flat = normal.constant(weight, self._flat(normal.values[weight]))
        inner = {
            "strides": list(strides[1:]),
            "dilations": list(apart[1:]),
            "pads": [*pads[1:3], *pads[4:6]],
            "group": flags.get("group", 1),
        }
        source, nodes = self._padded(normal, node, (pads[0], pads[3]))
        ends = []
        for place in range(places):
            name = f"{node.output}.place{place}"
            seen = normal.constant(node.output, place * strides[0] + apart[0] * np.arange(taps))
            nodes += [
                Node("Gather", [source, seen], [f"{name}.seen"], {"axis": 2}, node.layer),
                reshaped(normal, f"{name}.seen", f"{name}.image", [channels * taps, height, width], node.layer),
                Node("Conv", [f"{name}.image", flat, *bias], [f"{name}.sums"], inner, node.layer),
                Node(
                    "Unsqueeze", [f"{name}.sums", normal.constant(node.output, np.array([2]))], [name], {}, node.layer
                ),
            ]
            ends.append(name)
        return [*nodes, Node("Concat", ends, node.outputs, {"axis": 2}, node.layer)]

    @staticmethod
    def _padded(normal: NormalGraph, node: Node, amounts: tuple[int, int]) -> tuple[str, list[Node]]:
        """Return (the image with `amounts` before and behind its first axis, the nodes that make it)."""
        if not any(amounts):
            return node.inputs[0], []
        before, behind = amounts
        stored = normal.constant(node.output, np.asarray([0, 0, before, 0, 0, 0, 0, behind, 0, 0], np.int64))
        pad = Node("Pad", [node.inputs[0], stored], [f"{node.output}.padded"], {}, node.layer)
        return pad.output, [pad]

    @staticmethod
    def _flat(weight):
        """Return weights [O, C, D, H, W] as [O, C D, H, W]."""
        if not isinstance(weight, QTensor):
            return weight.reshape(weight.shape[0], -1, *weight.shape[3:])
        scale = np.asarray(weight.scale)
        if scale.size > 1 and scale.size != scale.shape[0]:
            raise ModelError("its weights have scales of more than their output channels")
        scale = scale.reshape(-1, 1, 1, 1) if scale.size > 1 else scale
        return QTensor(weight.ints.reshape(weight.shape[0], -1, *weight.shape[3:]), scale)


class PoolInTurns(_OfVolume):
    """pool(x) over D, H and W = pool over D of pool over H and W.

    Precondition: a window that counts the same everywhere.
    """

    operators = ("MaxPool", "AveragePool", "GlobalAveragePool")

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        _, channels, depth, *size = normal.values[node.inputs[0]].shape
        flags = {"kernel_shape": [depth, *size], **node.flags}
        kernel, strides = flags["kernel_shape"], flags.get("strides", [1, 1, 1])
        pads = flags.get("pads", [0] * 6)
        if any(flags.get(key) for key in ("ceil_mode", "count_include_pad")) or any(
            n != 1 for n in flags.get("dilations", ())
        ):
            raise ModelError("a window over three axes with ceil_mode, dilations or counted padding is not known")
        if node.op != "MaxPool" and any(pads):
            raise ModelError("an average over three axes with padding is not known")
        op = "MaxPool" if node.op == "MaxPool" else "AveragePool"
        across = [
            (n + b + a - k) // s + 1 for n, b, a, k, s in zip(size, pads[1:3], pads[4:6], kernel[1:], strides[1:])
        ]
        along = (depth + pads[0] + pads[3] - kernel[0]) // strides[0] + 1
        name, layer = node.output, node.layer
        inner = {"kernel_shape": list(kernel[1:]), "strides": list(strides[1:]), "pads": [*pads[1:3], *pads[4:6]]}
        outer = {"kernel_shape": [kernel[0], 1], "strides": [strides[0], 1], "pads": [pads[0], 0, pads[3], 0]}
        return [
            reshaped(normal, node.inputs[0], f"{name}.images", [channels * depth, *size], layer),
            Node(op, [f"{name}.images"], [f"{name}.across"], inner, layer),
            reshaped(normal, f"{name}.across", f"{name}.columns", [channels, depth, int(np.prod(across))], layer),
            Node(op, [f"{name}.columns"], [f"{name}.along"], outer, layer),
            reshaped(normal, f"{name}.along", name, [channels, along, *across], layer),
        ]
