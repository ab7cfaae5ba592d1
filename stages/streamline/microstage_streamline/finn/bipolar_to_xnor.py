"""Turn products of -1 and 1 into XNOR and popcount on bits."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.integer.interpreter import attributes
from microstage_streamline.finn.annotate_datatypes import datatype_of

__all__ = ["BITS", "BipolarToXnor"]

BITS = ".bits"  # ends the name of a tensor of bits; 2 bit - 1 is the tensor that it stands for
_CUSTOM = "qonnx.custom_op.general"
_MOVERS = ("MaxPoolNHWC", "Im2Col", "Flatten", "Reshape", "Transpose", "Identity")


class BipolarToXnor(Transformation):
    """x W = 2 popcount(xnor(b, B)) - K for x = 2 b - 1, W = 2 B - 1 of K rows; so x W >= T is popcount >= (T + K) / 2.

    Precondition: thresholds give x, -1 or 1; operators that only move it bring it, without padding, to products with
    constant weights of -1 and 1 alone; and what reads these are thresholds, or a TopK, to which the order is all, also
    behind constants that are added and differ by even numbers, as long as nobody reads the values that it takes.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type == "MultiThreshold" and self._is_bipolar(model, node):
                movers, products = self._readers(model, node.output[0])
                if products and all(self._convertible(model, product) for product in products):
                    self._convert(model, node, movers, products)
                    return model, True
        return model, False

    @staticmethod
    def _is_bipolar(model: ModelWrapper, node) -> bool:
        """Tell whether thresholds go from -1 to 1 in two steps that every channel takes at once."""
        table, flags = model.get_initializer(node.input[1]), attributes(node)
        both = flags.get("out_bias") == -1 and flags.get("out_scale", 1.0) == 1 and table.shape[1] == 2
        return bool(both and np.array_equal(table[:, 0], table[:, 1]))

    def _readers(self, model: ModelWrapper, name: str) -> tuple[list[NodeProto], list[NodeProto | None]]:
        """Return (operators that move the tensor on, what reads it in the end: None where it leaves the graph)."""
        if name in {output.name for output in model.graph.output}:
            return [], [None]
        movers: list[NodeProto] = []
        ends: list[NodeProto | None] = []
        for reader in model.find_consumers(name):
            if reader.op_type in _MOVERS and not any(attributes(reader).get("pad_amount", [])):
                further = self._readers(model, reader.output[0])
                movers, ends = [*movers, reader, *further[0]], [*ends, *further[1]]
            else:
                ends.append(reader)
        return movers, ends

    def _convertible(self, model: ModelWrapper, product) -> bool:
        weight = (
            model.get_initializer(product.input[1]) if product is not None and product.op_type == "MatMul" else None
        )
        if (
            weight is None
            or not np.all(np.abs(weight) == 1)
            or product.output[0] in {output.name for output in model.graph.output}
        ):
            return False
        return all(self._takes_counts(model, reader) for reader in model.find_consumers(product.output[0]))

    @staticmethod
    def _takes_counts(model: ModelWrapper, reader) -> bool:
        """Tell whether what reads a product can read the count of equal bits in its place."""
        if reader.op_type == "TopK":
            return not model.find_consumers(reader.output[0]) and reader.output[0] not in {
                output.name for output in model.graph.output
            }
        if reader.op_type != "Add":
            return reader.op_type == "MultiThreshold"
        added, readers = model.get_initializer(reader.input[1]), model.find_consumers(reader.output[0])
        even = added is not None and not np.any((added - added.flat[0]) % 2)
        return (
            even
            and bool(readers)
            and all(r.op_type == "TopK" and BipolarToXnor._takes_counts(model, r) for r in readers)
        )

    @staticmethod
    def _convert(model: ModelWrapper, threshold, movers: list, products: list) -> None:
        table, bits = model.get_initializer(threshold.input[1]), f"{threshold.output[0]}{BITS}"
        model.set_initializer(threshold.input[1], np.ascontiguousarray(table[:, :1]))
        model.rename_tensor(threshold.output[0], bits)
        for mover in movers:
            model.rename_tensor(mover.output[0], f"{mover.output[0]}{BITS}")
        for attribute in threshold.attribute:
            if attribute.name == "out_bias":
                attribute.f = 0.0
            elif attribute.name == "out_dtype":
                attribute.s = datatype_of(0, 1).name.encode()
        for product in products:
            weight = model.get_initializer(product.input[1])
            rows = weight.shape[0]
            for reader in model.find_consumers(product.output[0]):
                if reader.op_type == "MultiThreshold":
                    bound = model.get_initializer(reader.input[1])
                    model.set_initializer(reader.input[1], np.ceil((bound + rows) / 2).astype(np.float32))
                if reader.op_type == "Add":
                    added = model.get_initializer(reader.input[1])
                    model.set_initializer(reader.input[1], ((added - added.flat[0]) / 2).astype(np.float32))
            model.set_initializer(product.input[1], ((weight + 1) / 2).astype(np.float32))
            place = list(model.graph.node).index(product)
            counted = helper.make_node("XnorPopcountMatMul", list(product.input), list(product.output), domain=_CUSTOM)
            model.graph.node.remove(product)
            model.graph.node.insert(place, counted)
