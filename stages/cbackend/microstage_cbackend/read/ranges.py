"""Prove the range of each element of each tensor, with the same interval arithmetic as streamline."""

from __future__ import annotations

import onnx

from microstage.errors import ModelError
from microstage.integer.ranges import Range, node_range, of_type
from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["Ranges"]

_EXACT = 2**52
"Interval arithmetic is exact below it; the builder's own ranges, in Python's integers, say what lies there."


class Ranges:
    """Hold ranges of the tensors of one graph by name, from those of the inputs of `part` on."""

    def __init__(self, part: Part, constants: dict[str, Tensor]) -> None:
        self.constants = {name: t.data for name, t in constants.items()}
        self.known = {t.name: of_type(list(t.shape), t.low, t.high) for t in part.inputs}

    def learn(self, node: onnx.NodeProto, values: dict[str, Tensor]) -> None:
        """Narrow the outputs of `node`, which `values` holds, to what is provable of each of their elements."""
        outputs = {name: values[name] for name in node.output if name in values}
        found = self._of(node, outputs, values)
        for name, tensor in outputs.items():
            if tensor.data is not None:
                self.constants[name] = tensor.data
                continue
            if name in found and found[name].low.shape == tensor.shape:
                tensor.learn(found[name].low, found[name].high)
            self.known[name] = Range(*tensor.ends)

    def _of(self, node: onnx.NodeProto, outputs: dict[str, Tensor], values: dict[str, Tensor]) -> dict[str, Range]:
        inputs = [values[name] for name in node.input if name in values]
        reach = max((abs(end) for t in (*outputs.values(), *inputs) for end in (t.root.low, t.root.high)), default=0)
        filled = any(a.name == "pad_value" and onnx.helper.get_attribute_value(a) for a in node.attribute)
        if reach >= _EXACT or filled or not any(name in self.known for name in node.input):
            return {}
        try:
            return node_range(node, self.known, self.constants)
        except ModelError:
            return {}  # an attribute that only this reader knows
