"""The exported graph of one example becomes one of any number."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from microstage_qcdq.graphs import constants

__all__ = ["AnyBatch"]


class AnyBatch:
    """Reshape(x, [1, ...]) -> Reshape(x, [0, ...]): as many examples out as in.

    Precondition: x follows from an input of the graph and has one example first, as everything that the exporter traced; the shape is constant.
    """

    def apply(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        """(model, whether anything changed)."""
        graph, known, changed = model.graph, constants(model.graph), False
        follows = {value.name for value in graph.input}
        for node in graph.node:
            if not follows & set(node.input):
                continue
            follows |= set(node.output)
            shape = known.get(node.input[1]) if node.op_type == "Reshape" else None
            if shape is not None and len(shape) > 1 and shape[0] == 1:
                name = f"{node.output[0]}.shape"
                graph.initializer.append(numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), name))
                node.input[1], changed = name, True
        return model, changed
