"""Simplify quantisers: what changes a scale alone, levels that are no integers, functions read from a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.quantisers import bits_of
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import MalformedModel, Node, is_quantised
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Refusal, Rewrite


def _are_integers(*values: Any) -> bool:
    """Tell whether all are integers at scale 1."""
    return all(is_quantised(value) and np.all(getattr(value, "scale", 1.0) == 1) for value in values)


class ScaleAlone(Rewrite):
    """(s i) a = (s a) i: a quantised tensor times a positive constant is quantised still, at another scale.

    Precondition: the constant keeps the shape; something needs the integers before they are rounded again (otherwise
    the product stays as the file evaluates it, to the last bit).
    """

    operators = ("Mul", "Div")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        name, stored = self.sides(normal, node)
        value, factor = normal.values.get(name), normal.graph.constants.get(stored)
        if factor is None or value is None or not is_quantised(value):
            return False
        if normal.is_constant(name) or _are_integers(value, factor):
            return False
        keeps = np.broadcast_shapes(np.shape(real(factor)), value.shape) == tuple(value.shape)
        return bool(keeps and (real(factor) > 0).all() and normal.reaches_integers(node.output))

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        name, stored = self.sides(normal, node)
        factor, rank = real(normal.graph.constants[stored]), len(normal.values[name].shape)
        factor = 1 / factor if node.op == "Div" else factor
        factor = factor.reshape(()) if factor.size == 1 else factor.reshape((1,) * (rank - factor.ndim) + factor.shape)
        return [Node("Rescale", [name, normal.constant(node.output, factor)], node.outputs, {}, node.layer)]

    @staticmethod
    def sides(normal: NormalGraph, node: Node) -> list[str]:
        """Return the computed input and the constant one."""
        return node.inputs if node.op == "Div" or not normal.is_constant(node.inputs[0]) else node.inputs[::-1]


class NoAbsurdQuantiser(Refusal):
    """A quantiser has one width, of 1 to 32 bits, and scales other than 0, or the file is wrong."""

    operators = ("Quant", "Trunc")

    def check(self, normal: NormalGraph, node: Node) -> None:
        stored = [normal.graph.constants.get(name) for name in node.inputs]
        try:
            for width in stored[3:4] if node.op == "Quant" else [stored[3], stored[-1]]:
                if width is not None:
                    bits_of(width)
            if stored[1] is not None and not np.all(real(stored[1])):
                raise ModelError("has a scale of 0, which is no step from level to level")
        except ModelError as error:
            raise MalformedModel(f"{node} {error}.") from None


class ZeroPointApart(Rewrite):
    """Quant(x, s, z, b) = s (levels - z): the levels, which enter and leave as they are, and what takes the zero point
    off.

    Precondition: a constant z that is not zero, an x that is computed.
    """

    operators = ("Quant",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        zero_point = normal.graph.constants.get(node.inputs[2])
        return zero_point is not None and np.any(zero_point) and not normal.is_constant(node.inputs[0])

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        levels = f"{node.output}.levels"
        return [
            Node("QuantLevels", node.inputs, [levels], node.flags, node.layer),
            Node("LessZeroPoint", [levels, *node.inputs[1:3]], node.outputs, {}, node.layer),
        ]


class NoBlocks(Refusal):
    """Blocks with a scale each are of constants alone: no sum of computed values has a scale for each part of it."""

    operators = ("QuantizeLinear", "DequantizeLinear")

    def check(self, normal: NormalGraph, node: Node) -> None:
        if node.flags.get("block_size", 0) and not normal.is_constant(node.inputs[0]):
            raise ModelError("computed values in blocks of their own scale (block_size); export it with one scale")


class WholeLevels(Rewrite):
    """out_scale (count + bias / out_scale) -> whole levels and a scale.

    Precondition: bias / out_scale is whole, or half so.
    """

    operators = ("MultiThreshold",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        flags, scale, bias, times = self._read(normal, node)
        if times is None:
            raise ModelError(f"levels at {scale} count {bias:+} stand at no common scale")
        return flags != node.flags or not self._is_whole(scale, bias, times)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        flags, scale, bias, times = self._read(normal, node)
        if self._is_whole(scale, bias, times):
            return [Node(node.op, node.inputs, node.outputs, flags, node.layer)]
        counted = f"{node.output}.levels"
        flags |= {"out_scale": float(times), "out_bias": bias * times / scale}
        factor = normal.constant(node.output, np.float64(scale / times))
        return [
            Node(node.op, node.inputs, [counted], flags, node.layer),
            Node("Rescale", [counted, factor], node.outputs, {}, node.layer),
        ]

    @staticmethod
    def _read(normal: NormalGraph, node: Node):
        flags = {"out_scale": 1.0, "out_bias": 0.0, "data_layout": b"", **node.flags}
        value = normal.values.get(node.inputs[0])
        if not flags["data_layout"] and value is not None:  # as qonnx guesses it
            flags["data_layout"] = {3: b"NWC"}.get(len(value.shape), b"NCHW")
        scale, bias = flags["out_scale"], flags["out_bias"]
        return flags, scale, bias, next((k for k in (1, 2) if scale and (bias * k / scale).is_integer()), None)

    @staticmethod
    def _is_whole(scale: float, bias: float, times: int) -> bool:
        return scale == 1.0 and times == 1 or scale == 2.0 and bias == int(bias)


class ReadTable(Rewrite):
    """Gather(table, x) -> Lookup(x, table): a function of each index.

    Precondition: a constant table of one dimension, a computed index.
    """

    operators = ("Gather",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        table = normal.graph.constants.get(node.inputs[0])
        return table is not None and len(table.shape) == 1 and not normal.is_constant(node.inputs[1])

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [Node("Lookup", node.inputs[::-1], node.outputs, {}, node.layer)]


class OneNorm(Rewrite):
    """A batch norm has one output. Precondition: it was exported in evaluation mode."""

    operators = ("BatchNormalization",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if node.flags.get("training_mode", 0):
            raise ModelError("a batch norm in training mode has no fixed answer; export in evaluation mode")
        return len(node.outputs) > 1

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [Node(node.op, node.inputs, node.outputs[:1], node.flags, node.layer)]
