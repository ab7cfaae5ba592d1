"""Lower one streamlined graph to calls of the machine, or say in one sentence why that cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError, naming
from microstage.untrusted.onnx_file import read_onnx
from microstage_rtl.program.call import HeldTensor
from microstage_rtl.read.builder import Builder, Sums
from microstage_rtl.read.lowerings import lowering_of
from microstage_rtl.read.node import LoweredNode, Value

__all__ = ["PartGraph"]

_SOFTMAX = "IntegerSoftmax"
_REMEDY = "; where it closes the network, LOGITS=1 sends what it reads, in which the order of the classes is the same"


@dataclass
class PartGraph:
    """One part of a network: `model`, as streamline wrote it."""

    name: str
    model: onnx.ModelProto
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, path: Path) -> PartGraph:
        """Read the file at `path`; `ModelError` where it is none."""
        with naming(path.name):
            model = read_onnx(path)
        return cls(name, model, {t.name: numpy_helper.to_array(t) for t in model.graph.initializer})

    def without_softmax(self) -> PartGraph:
        """Return the graph with what a closing softmax reads as its output, for which the machine has no division."""
        model, ends = onnx.ModelProto.FromString(self.model.SerializeToString()), self.outputs
        closing = {n.output[0]: n for n in model.graph.node if n.op_type == _SOFTMAX and n.output[0] in ends}
        closing = {name: n for name, n in closing.items() if not any(name in other.input for other in model.graph.node)}
        for name, node in closing.items():
            model.graph.node.remove(node)
            next(value for value in model.graph.output if value.name == name).name = node.input[0]
        return replace(self, model=model)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each input, by name."""
        return {v.name: self._shape(v) for v in self.model.graph.input if v.name not in self.constants}

    def _shape(self, value: onnx.ValueInfoProto) -> tuple[int, ...]:
        shape = (1, *(d.dim_value for d in value.type.tensor_type.shape.dim[1:]))
        if min(shape) < 1:
            raise ModelError(f"Input {value.name} of {self.name} has an open shape, {list(shape)}; give every size.")
        return shape

    @property
    def outputs(self) -> list[str]:
        """Return the names of the outputs."""
        return [value.name for value in self.model.graph.output]

    def lower(self, builder: Builder, inputs: Mapping[str, HeldTensor]) -> dict[str, HeldTensor]:
        """Append this part's calls for `inputs`; return every tensor of the graph that lies in memory, by name."""
        values: dict[str, Value | None] = {"": None, **self.constants, **inputs}
        uses = Counter(name for node in self.model.graph.node for name in node.input)
        uses.update(self.outputs)
        for index, node in enumerate(self.model.graph.node):
            builder.place = f"{node.op_type} -> {', '.join(node.output)} (node {index + 1} of {self.name})"
            for name, value in _lowered(builder, node, values, uses.keys()).items():
                shared = uses[name] > 1 or name in self.outputs
                values[name] = builder.stored(value) if isinstance(value, Sums) and shared else value
        builder.place = "The network"
        if missing := [name for name in self.outputs if not isinstance(values.get(name), HeldTensor)]:
            raise ModelError(f"Output {missing[0]} of {self.name} is not computed by the machine.")
        return {name: value for name, value in values.items() if isinstance(value, HeldTensor)}


def _lowered(
    builder: Builder, node: onnx.NodeProto, values: dict[str, Value | None], used: Container[str]
) -> Mapping[str, Value]:
    """Return what the outputs of `node` stand for; inputs that had to be stored are so in `values` from then on."""
    lowering = lowering_of(node)
    if lowering is None:
        remedy = _REMEDY if node.op_type == _SOFTMAX else ""
        raise ModelError(f"{builder.place} is an operator that the machine does not have{remedy}.")
    names = list(node.input)
    while names and not names[-1]:
        names.pop()
    if missing := [name for name in names if name not in values]:
        raise ModelError(f"{builder.place} reads {missing[0]}, which the machine does not compute.")
    seen = LoweredNode(builder, node, [values[name] for name in names], used)
    found = lowering(seen)
    values.update((name, value) for name, value in zip(names, seen.inputs) if name)
    return found if isinstance(found, Mapping) else {seen.name: found}
