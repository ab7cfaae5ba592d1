"""Parts within a larger graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from microstage_qcdq.graph.build import PartBuilder, constants

__all__ = ["inlined", "zeros"]


def inlined(b: PartBuilder, part: onnx.ModelProto, renamed: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Append a part's nodes, its tensors prefixed; {graph output: tensor}."""
    own = {o for node in part.graph.node for o in node.output} | {i.name for i in part.graph.initializer}
    for name, value in constants(part.graph).items():
        b.constant(prefix + name, value)
    for node in part.graph.node:
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        for names in (copy.input, copy.output):
            for index, name in enumerate(names):
                names[index] = renamed.get(name, prefix + name if name in own else name)
        b.nodes.append(copy)
    return {o.name: prefix + o.name for o in part.graph.output}


def zeros(b: PartBuilder, state: onnx.ValueInfoProto, batch: str) -> str:
    kind = state.type.tensor_type
    width = b.constant(f"{state.name}.width", np.int64([dim.dim_value for dim in kind.shape.dim][1:]))
    shape = b.add("Concat", [batch, width], f"{state.name}.shape", axis=0)
    value = helper.make_tensor("value", kind.elem_type, [1], [0])
    return b.add("ConstantOfShape", [shape], f"{state.name}.zero", value=value)
