"""Products: MatMul and Conv with explicit pads, weights at a scale, and no bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_streamline.graph.graph import Node
from microstage_streamline.graph.normalise.pools import explicit_pads
from microstage_streamline.graph.normalise.rewrite import Rewrite, registered


@registered
class LowerGemm(Rewrite):
    """a b + c -> Add(MatMul(a, b), c), b transposed first where it is said to be. Precondition: alpha and beta are 1."""

    operators = ("Gemm",)

    def matches(self, normal, node):
        flags = {"alpha": 1.0, "beta": 1.0, "transA": 0, **node.flags}
        if flags["transA"] or flags["alpha"] != 1.0 or (len(node.inputs) > 2 and flags["beta"] != 1.0):
            raise ModelError("a Gemm with alpha, beta or transA is not known")
        return True

    def rewrite(self, normal, node):
        a, b, *bias = node.inputs
        if not node.flags.get("transB", 0):
            return _biased(node, Node("MatMul", [a, b], [], {}, node.layer), bias)
        if normal.is_constant(b):
            turned = run_node(Node("Transpose", ["w"], ["t"], {"perm": [1, 0]}).proto(), {"w": normal.values[b]})["t"]
            return _biased(node, Node("MatMul", [a, normal.constant(b, turned)], [], {}, node.layer), bias)
        turned = f"{node.output}.turned"
        return [
            Node("Transpose", [b], [turned], {"perm": [1, 0]}, node.layer),
            Node("Gemm", [a, turned, *bias], node.outputs, {}, node.layer),
        ]


@registered
class ExplicitPads(Rewrite):
    """auto_pad of a convolution -> the pads that it means. Precondition: the shape of the image is known."""

    operators = ("Conv",)

    def matches(self, normal, node):
        return "auto_pad" in node.flags

    def rewrite(self, normal, node):
        return [
            Node(
                "Conv",
                node.inputs,
                node.outputs,
                explicit_pads(normal, node, normal.values.get(node.inputs[1])),
                node.layer,
            )
        ]


@registered
class PadInConv(Rewrite):
    """Conv(Pad(x)) = Conv(x) with as much more padding. Precondition: zeros, around the image alone, and none taken away."""

    operators = ("Conv",)

    def matches(self, normal, node):
        pad = normal.makers.get(node.inputs[0])
        if pad is None or pad.op != "Pad" or pad.flags.get("mode", b"constant") not in (b"constant", "constant"):
            return False
        amounts, fill = (
            self._amounts(normal, pad),
            normal.graph.constants.get(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else 0,
        )
        return (
            amounts is not None
            and amounts.min() >= 0
            and not amounts[:, :2].any()
            and fill is not None
            and not np.any(fill)
        )

    def rewrite(self, normal, node):
        pad = normal.makers[node.inputs[0]]
        more = self._amounts(normal, pad)[:, 2:].reshape(-1)
        pads = [int(a) + int(b) for a, b in zip(node.flags.get("pads", [0] * len(more)), more)]
        return [Node("Conv", [pad.inputs[0], *node.inputs[1:]], node.outputs, {**node.flags, "pads": pads}, node.layer)]

    @staticmethod
    def _amounts(normal, pad) -> np.ndarray | None:
        """[2, rank], before and behind; None where they are computed, or of some axes alone."""
        amounts = pad.flags.get("pads") if len(pad.inputs) < 2 else normal.graph.constants.get(pad.inputs[1])
        return None if amounts is None or len(pad.inputs) > 3 and pad.inputs[3] else np.asarray(amounts).reshape(2, -1)


@registered
class TakeOutBias(Rewrite):
    """Conv(x, w, b) = Conv(x, w) + b, b along the channels. Precondition: b is constant."""

    operators = ("Conv",)

    def matches(self, normal, node):
        return len(node.inputs) > 2

    def rewrite(self, normal, node):
        x, w, bias = node.inputs
        product = Node("Conv", [x, w], [], node.flags, node.layer)
        if not bias:
            return _biased(node, product, [])
        value = normal.values.get(bias)
        if value is None or not normal.is_constant(bias):
            raise ModelError("its bias is not constant")
        shape = (1, -1) + (1,) * (len(normal.values[w].shape) - 2)
        return _biased(node, product, [normal.constant(bias, _shaped(value, shape))])


@registered
class WholeWeights(Rewrite):
    """Stored weights that are whole numbers are quantised already, at scale 1: so FINN writes them."""

    operators = ("Conv", "MatMul", "XnorPopcountMatMul")

    def matches(self, normal, node):
        value = normal.graph.constants.get(node.inputs[1])
        real = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return bool(real and (value == np.rint(value)).all() and np.abs(value).max(initial=0) < 2**31)

    def rewrite(self, normal, node):
        value = normal.graph.constants[node.inputs[1]]
        whole = normal.constant(node.inputs[1], QTensor(value.astype(np.int64), np.float64(1)))
        return [Node(node.op, [node.inputs[0], whole, *node.inputs[2:]], node.outputs, node.flags, node.layer)]


def _shaped(value: Any, shape) -> Any:
    if isinstance(value, QTensor):
        return QTensor(
            value.ints.reshape(shape), value.scale.reshape(shape) if np.size(value.scale) > 1 else value.scale
        )
    return np.asarray(value).reshape(shape)


def _biased(node: Node, product: Node, bias: list[str]) -> list[Node]:
    if not bias or not bias[0]:
        product.outputs = node.outputs
        return [product]
    product.outputs = [f"{node.output}.accumulator"]
    return [product, Node("Add", [product.output, bias[0]], node.outputs, {}, node.layer)]
