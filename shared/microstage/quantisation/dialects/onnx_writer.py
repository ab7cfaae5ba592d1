"""What every dialect shares: nodes and constants in order, one model out of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.quantisation.integers.integer_program import IntegerProgram
from microstage.quantisation.integers.operations import (
    Add,
    AveragePool,
    Concatenate,
    MaxPool,
    Operation,
    Product,
    Quantise,
    Requantise,
    Reshape,
)

__all__ = ["OnnxWriter", "window_of"]

_IR_VERSION = 8  # the newest that onnxruntime 1.14 reads
_PRODUCER = "microstage"


class OnnxWriter(ABC):
    """One graph from an integer network. A dialect says how each operation is written.

    Every node is called as its output, and that as in the integer network.
    """

    opset = 13
    domains: dict[str, int] = {}

    def __init__(self, network: IntegerProgram) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.made_by = {operation.output: operation for operation in network.operations}

    def models(self) -> dict[str, onnx.ModelProto]:
        """Return the models by the name of their file."""
        return {"model.onnx": self.model()}

    def model(self) -> onnx.ModelProto:
        """Return the model, whose batch size is open."""
        for operation in self.network.operations:
            self._write(operation)
        graph = helper.make_graph(
            self.nodes,
            _PRODUCER,
            [self._tensor(self.graph_input, self.network.shapes[self.graph_input])],
            [self._tensor(self.graph_output, self.network.shapes[self.network.output])],
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

    def given_out(self, integers: np.ndarray) -> np.ndarray:
        """Return what the model gives where the network's output is these integers."""
        levels = self.network.levels[self.network.output]
        return (integers - levels.zero) * levels.scale

    def _write(self, operation: Operation) -> None:
        written: dict[type[Operation], Callable[[Any], None]] = {
            Quantise: self.quantise,
            Requantise: self.requantise,
            Product: self.product,
            Add: self.add,
            AveragePool: self.average_pool,
            MaxPool: self.max_pool,
            Concatenate: self.concatenate,
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
        """Write the mean, of which the operation has the sum. Zeros around the image count, as in torch."""
        self.node("AveragePool", operation.inputs, operation.output, count_include_pad=1, **window_of(operation))

    def max_pool(self, operation: MaxPool) -> None:
        attributes = {**window_of(operation), "dilations": list(operation.dilation), "ceil_mode": operation.ceil_mode}
        self.node("MaxPool", operation.inputs, operation.output, **attributes)

    def concatenate(self, operation: Concatenate) -> None:
        self.node("Concat", operation.inputs, operation.output, axis=operation.axis)

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
        """Keep an initializer, float32 unless it is an array, and return its name."""
        self.constants[name] = value if isinstance(value, np.ndarray) else np.array(value, np.float32)
        return name

    def integers(self, name: str, values: np.ndarray) -> str:
        """Keep integers in float32, which holds those up to 2^24 exactly."""
        return self.constant(name, values.astype(np.float32))

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

    def halves(self, value: str) -> np.ndarray | None:
        """Return what raises a sum so that its shift to the right rounds halves up: [channels], int64.

        None where it cannot be part of a bias: the value is no product, others read it, or it is not shifted.
        """
        readers = [operation for operation in self.network.operations if value in operation.inputs]
        if len(readers) != 1 or not isinstance(self.made_by.get(value), Product):
            return None
        (reader,) = readers
        if not isinstance(reader, Requantise) or reader.rounding != "half-up" or reader.shifts is None:
            return None
        return np.array([2**shift // 2 if shift > 0 else 0 for shift in reader.shifts], np.int64)

    def _tensor(self, name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


def window_of(operation: AveragePool | MaxPool) -> dict[str, Any]:
    """Return the attributes of a pool's window."""
    return {
        "kernel_shape": list(operation.kernel),
        "strides": list(operation.stride),
        "pads": list(operation.padding) * 2,
    }
