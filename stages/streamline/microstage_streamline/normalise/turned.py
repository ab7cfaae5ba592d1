"""Turn products round: a constant on the left, a convolution transposed."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.moves import reshaped, transposed
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.products import shaped
from microstage_streamline.normalise.rewrite import Rewrite


class ConstantOnTheRight(Rewrite):
    """W x = (x' W')', ' the last two axes exchanged.

    Precondition: W is a constant matrix, and x has samples in front.
    """

    operators = ("MatMul",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        left, right = node.inputs
        known = normal.is_constant(left) and not normal.is_constant(right) and right in normal.values
        if known and (len(normal.values[left].shape) != 2 or len(normal.values[right].shape) < 3):
            shapes = [list(normal.values[name].shape) for name in node.inputs]
            raise ModelError(
                f"it multiplies a constant {shapes[0]} by {shapes[1]}; expected a matrix, and samples that"
                " it leaves apart"
            )
        return known

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        left, right = node.inputs
        rank, x, product = len(normal.values[right].shape), f"{node.output}.right", f"{node.output}.product"
        order = [*range(rank - 2), rank - 1, rank - 2]
        turned = run_node(Node("Transpose", ["w"], ["t"], {"perm": [1, 0]}).proto(), {"w": normal.values[left]})["t"]
        return [
            transposed(right, x, order, node.layer),
            Node("MatMul", [x, normal.constant(left, turned)], [product], {}, node.layer),
            transposed(product, node.output, order, node.layer),
        ]


class TransposedConv(Rewrite):
    """Place s i + r of the result is a sum of x[i - j] w[s j + r]: for each r a convolution of x, and these are the
    pixels of a block.

    A convolution with s^d times as many filters, whose channels become pixels, and of these the places that pads leave.
    Precondition: constant weights [C, O / groups, *kernel] at one scale, or one of each output channel.
    """

    operators = ("ConvTranspose",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if node.inputs[0] in normal.values and not normal.is_constant(node.inputs[1]):
            raise ModelError("its weights are computed; expected constants")
        return node.inputs[0] in normal.values

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        weight, image = normal.values[node.inputs[1]], normal.values[node.inputs[0]].shape[2:]
        spatial, groups, name, layer = len(image), node.flags.get("group", 1), node.output, node.layer
        strides, begins, wanted = self._geometry(node.flags, weight.shape[2:], image)
        filters = self._filters(weight, groups, node.flags.get("dilations", [1] * spatial), strides)
        taps, each = filters.shape[2:], weight.shape[1] * groups
        flags = {"group": groups, "pads": [n - 1 for n in taps] * 2, "kernel_shape": list(taps)}
        blocks, sizes = list(strides), [n + t - 1 for n, t in zip(image, taps)]
        order = [0, 1, *(axis for place in range(spatial) for axis in (2 + spatial + place, 2 + place))]
        whole = [n * s for n, s in zip(sizes, strides)]
        nodes = [
            Node("Conv", [node.inputs[0], normal.constant(node.inputs[1], filters)], [f"{name}.filters"], flags, layer),
            reshaped(normal, f"{name}.filters", f"{name}.blocks", [each, *blocks, *sizes], layer),
            transposed(f"{name}.blocks", f"{name}.turned", order, layer),
            reshaped(normal, f"{name}.turned", f"{name}.whole", [each, *whole], layer),
        ]
        return [*nodes, *self._cut(normal, node, begins, wanted, whole)]

    @staticmethod
    def _geometry(flags: dict[str, Any], kernel, image) -> tuple[list[int], list[int], list[int]]:
        """Return (strides, pads in front, sizes of the result)."""
        spatial = len(image)
        strides, apart = (list(flags.get(key, [1] * spatial)) for key in ("strides", "dilations"))
        more, pads = flags.get("output_padding", [0] * spatial), list(flags.get("pads", [0] * 2 * spatial))
        kind = flags.get("auto_pad", b"NOTSET")
        kind = kind.decode() if isinstance(kind, bytes) else kind
        full = [s * (n - 1) + m + d * (k - 1) + 1 for s, n, m, d, k in zip(strides, image, more, apart, kernel)]
        wanted = flags.get("output_shape")
        if kind.startswith("SAME") and wanted is None:
            wanted = [n * s for n, s in zip(image, strides)]
        if wanted is not None:
            total = [max(0, f - w) for f, w in zip(full, wanted)]
            begins = [t - t // 2 if kind != "SAME_UPPER" else t // 2 for t in total]
            return strides, begins, list(wanted)
        return strides, pads[:spatial], [f - b - e for f, b, e in zip(full, pads[:spatial], pads[spatial:])]

    @staticmethod
    def _filters(weight: Any, groups: int, apart, strides) -> Any:
        """Return [O * prod(strides), C / groups, *taps] of weights [C, O / groups, *kernel]; blocks of one channel
        stand together.
        """
        ints = weight.ints if isinstance(weight, QTensor) else np.asarray(weight)
        taps = [-(-((k - 1) * d + 1) // s) for k, d, s in zip(ints.shape[2:], apart, strides)]
        wide = np.zeros((*ints.shape[:2], *(t * s for t, s in zip(taps, strides))), ints.dtype)
        wide[(slice(None), slice(None), *(slice(0, (k - 1) * d + 1, d) for k, d in zip(ints.shape[2:], apart)))] = ints
        channels, out = ints.shape[0] // groups, ints.shape[1]
        parts = wide.reshape(groups, channels, out, *(n for t, s in zip(taps, strides) for n in (t, s)))
        spatial = len(taps)
        order = [0, 2, *(4 + 2 * a for a in range(spatial)), 1, *(3 + 2 * a for a in range(spatial))]
        blocks = int(np.prod(strides))
        filters = parts.transpose(order).reshape(groups * out * blocks, channels, *taps)
        filters = np.ascontiguousarray(np.flip(filters, tuple(range(2, 2 + spatial))))
        if not isinstance(weight, QTensor):
            return filters
        scale = np.asarray(weight.scale)
        if scale.size > 1:
            along = np.broadcast_to(scale, (1, *scale.shape[1:])) if scale.shape[0] == 1 else None
            if along is None or any(n > 1 for n in scale.shape[2:]):
                raise ModelError(
                    "its weights have a scale for each input channel; expected one for each output channel"
                )
            each = np.tile(np.broadcast_to(along.reshape(-1), (out,)), groups)
            scale = np.repeat(each, blocks).reshape(-1, *[1] * (1 + spatial))
        return QTensor(filters, scale)

    @staticmethod
    def _cut(normal: NormalGraph, node: Node, begins, wanted, whole) -> list[Node]:
        """Return what the pads leave, zeros behind it where more is wanted, and the bias."""
        name, layer = node.output, node.layer
        lacking = [max(0, b + n - w) for b, n, w in zip(begins, wanted, whole)]
        source, nodes = f"{name}.whole", []
        if any(lacking):
            pads = normal.constant(name, np.asarray([0] * (2 + len(whole)) + [0, 0, *lacking], np.int64))
            nodes.append(Node("Pad", [source, pads], [f"{name}.longer"], {}, layer))
            source, whole = nodes[-1].output, [w + n for w, n in zip(whole, lacking)]
        indices = {
            axis + 2: np.arange(b, b + n)
            for axis, (b, n, w) in enumerate(zip(begins, wanted, whole))
            if (b, n) != (0, w)
        }
        biased = len(node.inputs) > 2 and bool(node.inputs[2])
        product = f"{name}.product" if biased else name
        if indices:
            starts, ends, axes = (
                [f(i) for i in indices.items()] for f in (lambda i: i[1][0], lambda i: i[1][-1] + 1, lambda i: i[0])
            )
            stored = [normal.constant(name, np.asarray(values, np.int64)) for values in (starts, ends, axes)]
            nodes.append(Node("Slice", [source, *stored], [product], {}, layer))
        else:
            nodes.append(Node("Identity", [source], [product], {}, layer))
        return [*nodes, _biased(normal, node, product, len(whole))] if biased else nodes


def _biased(normal: NormalGraph, node: Node, product: str, spatial: int) -> Node:
    """Return the sum of a product and the bias of `node`, one for each channel."""
    bias = node.inputs[2]
    if not normal.is_constant(bias):
        raise ModelError("its bias is not constant")
    stored = normal.constant(bias, shaped(normal.values[bias], (1, -1) + (1,) * spatial))
    return Node("Add", [product, stored], node.outputs, {}, node.layer)
