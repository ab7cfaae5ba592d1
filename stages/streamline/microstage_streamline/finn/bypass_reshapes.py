"""Remove reshapes between layers of FINN: a stream of rows is the flattened stream, so that nothing is built for it."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

__all__ = ["SAME_STREAM", "BypassReshapes"]

SAME_STREAM = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")
_HARDWARE = "finn.custom_op.fpgadataflow"


class BypassReshapes(Transformation):
    """layer -> reshape -> layer becomes layer -> layer; FINN's folding stops at a node that is no layer of its own.

    Reshapes in front of the first layer and behind the last stay, as the graph's own shape is theirs. `removed` names
    those that went.
    """

    def __init__(self) -> None:
        super().__init__()
        self.removed: list[str] = []

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in [n for n in model.graph.node if n.op_type in SAME_STREAM]:  # each behind those that it reads
            maker = model.find_producer(node.input[0])
            if maker is not None and maker.domain == _HARDWARE and self._leads_to_layers(model, node):
                model.graph.node.remove(node)
                self.removed.append(f"{node.op_type} -> {node.output[0]}")
                for reader in model.graph.node:
                    reader.input[:] = [node.input[0] if name == node.output[0] else name for name in reader.input]
        return model, False

    def _leads_to_layers(self, model: ModelWrapper, node: NodeProto) -> bool:
        readers = model.find_consumers(node.output[0])
        answered = node.output[0] in [value.name for value in model.graph.output]
        return not answered and all(
            reader.domain == _HARDWARE or reader.op_type in SAME_STREAM and self._leads_to_layers(model, reader)
            for reader in readers
        )
