"""What every dialect shares: nodes and constants in order, one model out of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.quantisation.integers import (
    Add,
    AveragePool,
    IntegerNetwork,
    MaxPool,
    Operation,
    Product,
    Quantise,
    Requantise,
    Reshape,
)

__all__ = ["OnnxWriter"]

_IR_VERSION = 8
_PRODUCER = "microstage"


class OnnxWriter(ABC):
    """One graph from an integer network. A dialect says how each operation is written."""

    opset = 13
    domains: dict[str, int] = {}

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def model(self) -> onnx.ModelProto:
        """Return the model; its batch size is open."""
        for operation in self.network.operations:
            self._write(operation)
        graph = helper.make_graph(
            self.nodes,
            _PRODUCER,
            [self._tensor(self.graph_input, self.network.shapes[self.graph_input])],
            [self._tensor(self.graph_output, self.network.shapes[self.graph_output])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, version) for domain, version in self.domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, producer_name=_PRODUCER, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return model

    @property
    def graph_input(self) -> str:
        return self.network.input

    @property
    def graph_output(self) -> str:
        return self.network.output

    def _write(self, operation: Operation) -> None:
        written: dict[type[Operation], Callable[[Any], None]] = {
            Quantise: self.quantise,
            Requantise: self.requantise,
            Product: self.product,
            Add: self.add,
            AveragePool: self.average_pool,
            MaxPool: self.max_pool,
            Reshape: self.reshape,
        }
        written[type(operation)](operation)

    @abstractmethod
    def quantise(self, operation: Quantise) -> None: ...

    @abstractmethod
    def requantise(self, operation: Requantise) -> None: ...

    @abstractmethod
    def product(self, operation: Product) -> None: ...

    def add(self, operation: Add) -> None:
        self.node("Add", operation.inputs, operation.output)

    def average_pool(self, operation: AveragePool) -> None:
        self.node("AveragePool", operation.inputs, operation.output, **_window(operation))

    def max_pool(self, operation: MaxPool) -> None:
        self.node("MaxPool", operation.inputs, operation.output, **_window(operation))

    def reshape(self, operation: Reshape) -> None:
        shape = self.constant(f"{operation.output}_shape", np.array([0, *operation.shape], np.int64))
        self.node("Reshape", (*operation.inputs, shape), operation.output)

    def node(self, operator: str, inputs: tuple[str, ...], output: str, domain: str = "", **attributes: Any) -> str:
        """Append a node, named as its output, and return that."""
        self.nodes.append(
            helper.make_node(operator, list(inputs), [output], name=output, domain=domain or None, **attributes)
        )
        return output

    def constant(self, name: str, value: np.ndarray | float) -> str:
        """Keep an initializer, float32 unless it is an array of integers, and return its name."""
        self.constants[name] = value if isinstance(value, np.ndarray) else np.array(value, np.float32)
        return name

    def convolve(self, operation: Product, weight: str, bias: str) -> None:
        """Append the Conv or Gemm of a product."""
        inputs = (*operation.inputs, weight, bias)
        if operation.weight.ndim == 2:
            self.node("Gemm", inputs, operation.output, transB=1)
            return
        self.node(
            "Conv",
            inputs,
            operation.output,
            kernel_shape=list(operation.weight.shape[2:]),
            strides=list(operation.stride),
            pads=list(operation.padding) * 2,
            dilations=list(operation.dilation),
            group=operation.groups,
        )

    def _tensor(self, name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


def _window(operation: AveragePool | MaxPool) -> dict[str, Any]:
    return {
        "kernel_shape": list(operation.kernel),
        "strides": list(operation.stride),
        "pads": list(operation.padding) * 2,
    }
