"""Bring products into one form: MatMul and Conv with explicit pads, weights at a scale, and no bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.pools import explicit_pads
from microstage_streamline.normalise.rewrite import Rewrite, matched


class LowerGemm(Rewrite):
    """alpha a b + beta c = Add(Mul(MatMul(a, b), alpha), beta c), b transposed first where it is said to be.

    Precondition: a, of samples, is not, and beta is 1 where c is computed.
    """

    operators = ("Gemm",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if node.flags.get("transA", 0):
            raise ModelError("a Gemm with transA sums over samples")
        return True

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        a, b, *bias = node.inputs
        bias = [name for name in bias if name]
        product = f"{node.output}.product"
        if node.flags.get("transB", 0):
            turned = f"{node.output}.turned"
            flags = {name: value for name, value in node.flags.items() if name != "transB"}
            first = Node("Transpose", [b], [turned], {"perm": [1, 0]}, node.layer)
            if normal.is_constant(b):
                whole = run_node(first.proto(), {b: normal.values[b]})[turned]
                return [Node("Gemm", [a, normal.constant(b, whole), *bias], node.outputs, flags, node.layer)]
            return [first, Node("Gemm", [a, turned, *bias], node.outputs, flags, node.layer)]
        alpha = node.flags.get("alpha", 1.0)
        scaled, bias = f"{node.output}.accumulator" if bias else node.output, self._bias(normal, node, bias)
        nodes = [Node("MatMul", [a, b], [product if alpha != 1.0 else scaled], {}, node.layer)]
        if alpha != 1.0:
            nodes.append(
                Node("Mul", [product, normal.constant(node.output, np.float32(alpha))], [scaled], {}, node.layer)
            )
        return [*nodes, *(Node("Add", [scaled, name], node.outputs, {}, node.layer) for name in bias)]

    @staticmethod
    def _bias(normal: NormalGraph, node: Node, bias: list[str]) -> list[str]:
        """Return the bias beta c, in float32."""
        beta = node.flags.get("beta", 1.0)
        if beta == 1.0 or not bias:
            return bias
        if not normal.is_constant(bias[0]):
            raise ModelError("a Gemm whose computed bias has a factor beta; expected a constant")
        value = normal.values[bias[0]]
        if isinstance(value, QTensor) and beta > 0:
            return [normal.constant(bias[0], QTensor(value.ints, value.scale * beta))]
        return [normal.constant(bias[0], (real(value) * beta).astype(np.float32))]


class ExplicitPads(Rewrite):
    """auto_pad of a convolution -> the pads that it means. Precondition: the shape of the image is known."""

    operators = ("Conv",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return "auto_pad" in node.flags

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [
            Node(
                "Conv",
                node.inputs,
                node.outputs,
                explicit_pads(normal, node, normal.values.get(node.inputs[1])),
                node.layer,
            )
        ]


class PadInConv(Rewrite):
    """Conv(Pad(x)) = Conv(x) with as much more padding.

    Precondition: zeros, around the image alone, and none taken away.
    """

    operators = ("Conv",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
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

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        pad = normal.makers[node.inputs[0]]
        more = matched(self._amounts(normal, pad))[:, 2:].reshape(-1)
        pads = [int(a) + int(b) for a, b in zip(node.flags.get("pads", [0] * len(more)), more)]
        return [Node("Conv", [pad.inputs[0], *node.inputs[1:]], node.outputs, {**node.flags, "pads": pads}, node.layer)]

    @staticmethod
    def _amounts(normal: NormalGraph, pad) -> np.ndarray | None:
        """Return [2, rank], padding before and behind; None where it is computed, or of some axes alone."""
        amounts = pad.flags.get("pads") if len(pad.inputs) < 2 else normal.graph.constants.get(pad.inputs[1])
        return None if amounts is None or len(pad.inputs) > 3 and pad.inputs[3] else np.asarray(amounts).reshape(2, -1)


class TakeOutBias(Rewrite):
    """Conv(x, w, b) = Conv(x, w) + b, b along the channels. Precondition: b is constant."""

    operators = ("Conv",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return len(node.inputs) > 2

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        x, w, bias = node.inputs
        product = Node("Conv", [x, w], [], node.flags, node.layer)
        if not bias:
            return _biased(node, product, [])
        value = normal.values.get(bias)
        if value is None or not normal.is_constant(bias):
            raise ModelError("its bias is not constant")
        shape = (1, -1) + (1,) * (len(normal.values[w].shape) - 2)
        return _biased(node, product, [normal.constant(bias, shaped(value, shape))])


class WholeWeights(Rewrite):
    """Stored weights that are whole numbers are quantised already, at scale 1: so FINN writes them."""

    operators = ("Conv", "MatMul", "XnorPopcountMatMul")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        value = normal.graph.constants.get(node.inputs[1])
        real = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return bool(real and (value == np.rint(value)).all() and np.abs(value).max(initial=0) < 2**31)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        value = normal.graph.constants[node.inputs[1]]
        whole = normal.constant(node.inputs[1], QTensor(value.astype(np.int64), np.float64(1)))
        return [Node(node.op, [node.inputs[0], whole, *node.inputs[2:]], node.outputs, node.flags, node.layer)]


def shaped(value: Any, shape) -> Any:
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
