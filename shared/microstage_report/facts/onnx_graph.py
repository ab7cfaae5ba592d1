"""An ONNX graph as the facts need it: its operators in order, what they read and give, of which types and shapes."""

from __future__ import annotations

from ast import literal_eval
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["OnnxNode", "OnnxGraph"]

_DATATYPE, _SPARSITY = "finn_datatype", "tensor_sparsity"
_QUANTISERS = {"Quant", "BipolarQuant", "IntQuant", "QuantizeLinear"}


@dataclass(frozen=True)
class OnnxNode:
    """One operator: its type, the tensors that it reads and gives, its attributes."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(hash=False, compare=False)


class OnnxGraph:
    """The graph of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = onnx.load(path, load_external_data=False)
        graph = self.model.graph
        self.inputs = [value.name for value in graph.input]
        self.outputs = [value.name for value in graph.output]
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._annotations = {
            entry.tensor_name: {pair.key: pair.value for pair in entry.quant_parameter_tensor_names}
            for entry in graph.quantization_annotation
        }
        self.shapes = {value.name: _shape(value) for value in (*graph.value_info, *graph.input, *graph.output)}
        self._constant = set(self._initializers)
        self.nodes = [node for node in map(_node, graph.node) if not self._is_constant(node)]

    def _is_constant(self, node: OnnxNode) -> bool:
        """Note what a node gives as constant where all that it reads is."""
        if set(filter(None, node.inputs)) <= self._constant:
            self._constant |= {*node.outputs}
            return True
        return False

    def is_constant(self, tensor: str) -> bool:
        """Whether a tensor is the same for every input."""
        return tensor in self._constant

    def values(self, tensor: str) -> np.ndarray | None:
        """Return the values of a constant that the file holds."""
        held = self._initializers.get(tensor)
        if held is None or held.data_location == onnx.TensorProto.EXTERNAL:
            return None
        return numpy_helper.to_array(held)

    @cached_property
    def _makers(self) -> dict[str, OnnxNode]:
        return {name: node for node in self.nodes for name in node.outputs}

    def maker(self, tensor: str) -> OnnxNode | None:
        """Return the operator that gives a tensor."""
        return self._makers.get(tensor)

    @cached_property
    def _readers(self) -> dict[str, list[OnnxNode]]:
        found: dict[str, list[OnnxNode]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def readers(self, tensor: str) -> list[OnnxNode]:
        """Return the operators that read a tensor."""
        return self._readers.get(tensor, [])

    def datatype(self, tensor: str) -> str:
        """Return the type of a tensor, as it is annotated or as its quantiser says; "" where nothing says it."""
        if annotated := self._annotations.get(tensor, {}).get(_DATATYPE):
            return annotated
        node = self.maker(tensor)
        return self._of_quantiser(node) if node and node.operator in _QUANTISERS else ""

    def sparse_kernel(self, tensor: str) -> list[int]:
        """Return the kernel of a depthwise layer whose constant stands as a full product; empty of any other."""
        said = self._annotations.get(tensor, {}).get(_SPARSITY)
        return literal_eval(said)["dw"]["kernel_shape"] if said else []

    def _of_quantiser(self, node: OnnxNode) -> str:
        if node.operator == "BipolarQuant":
            return "BIPOLAR"
        if node.operator == "QuantizeLinear":
            zero = self._initializers.get(node.inputs[2]) if len(node.inputs) > 2 else None
            return onnx.TensorProto.DataType.Name(zero.data_type) if zero is not None else "UINT8"
        bits = self.values(node.inputs[3])
        sign = "INT" if node.attributes.get("signed", 1) else "UINT"
        return f"{sign}{int(bits.max())}" if bits is not None else ""


def _node(node: onnx.NodeProto) -> OnnxNode:
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return OnnxNode(node.op_type, tuple(node.input), tuple(filter(None, node.output)), attributes)


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
