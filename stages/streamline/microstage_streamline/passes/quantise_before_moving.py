"""Quantisers move ahead of operators that only move values about."""

from __future__ import annotations

from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

__all__ = ["QuantiseBeforeMoving"]

_MOVERS = ("Transpose", "MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze")

_EARLY = ".before_"


class QuantiseBeforeMoving(Transformation):
    """q(move(x)) = move(q(x)): a scalar quantiser works on each value alone, and being monotone it commutes with a maximum.

    Precondition: one scale for the whole tensor; the mover's output is read by the quantiser alone. `q` is QuantizeLinear
    with the Clip that follows it, if any.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type != "QuantizeLinear":
                continue
            mover = model.find_producer(node.input[0])
            if mover is None or mover.op_type not in _MOVERS or model.is_fork_node(mover):
                continue
            if model.get_initializer(node.input[1]).size != 1:
                continue
            self._swap(model, mover, node)
            return model, True
        return model, False

    def _swap(self, model: ModelWrapper, mover, quantiser) -> None:
        chain = [quantiser, *_clip_after(model, quantiser)]
        final = chain[-1].output[0]
        early = f"{final.split(_EARLY)[0]}{_EARLY}{mover.op_type.lower()}"
        earlies = [*(f"{early}.unclipped" for _ in chain[1:]), early]
        nodes, value = [], mover.input[0]
        for node, output in zip(chain, earlies):
            flags = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            nodes.append(helper.make_node(node.op_type, [value, *node.input[1:]], [output], **flags))
            value = output
        flags = {a.name: helper.get_attribute_value(a) for a in mover.attribute}
        nodes.append(helper.make_node(mover.op_type, [value, *mover.input[1:]], [final], **flags))
        place = list(model.graph.node).index(mover)
        for node in (mover, *chain):
            model.graph.node.remove(node)
        for offset, node in enumerate(nodes):
            model.graph.node.insert(place + offset, node)


def _clip_after(model: ModelWrapper, quantiser) -> list:
    readers = model.find_consumers(quantiser.output[0])
    return readers if len(readers) == 1 and readers[0].op_type == "Clip" else []
