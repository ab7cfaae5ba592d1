"""Show a node of a graph as a lowering sees it: operands, attributes, and how it refuses."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes
from microstage_rtl.program.call import HeldTensor
from microstage_rtl.read.builder import Builder, Sums
from microstage_rtl.read.windows import WindowsOf

__all__ = ["LoweredNode", "Value"]

Value: TypeAlias = HeldTensor | Sums | WindowsOf | np.ndarray
"What a name in the graph stands for: integers in memory, sums or windows still to be computed, a constant."


@dataclass
class LoweredNode:
    """Hold what a lowering is given."""

    builder: Builder
    proto: onnx.NodeProto
    inputs: list[Value | None]
    used: Container[str] = ()
    "Tensors that any node or the outside reads."

    @property
    def operator(self) -> str:
        """Return what the operator is called."""
        return self.proto.op_type

    @property
    def outputs(self) -> list[str]:
        """Return the names of the outputs."""
        return list(self.proto.output)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return attributes(self.proto)

    @property
    def name(self) -> str:
        """Return the name of the last output, which is the only one of most operators."""
        return self.outputs[-1]

    def refuse(self, reason: str) -> ModelError:
        """Return the error that names this node and the `reason`."""
        return ModelError(f"{self.builder.place} {reason}")

    def tensor(self, index: int = 0) -> HeldTensor:
        """Return input `index` as integers in memory."""
        value = self.inputs[index]
        if isinstance(value, Sums):
            value = self.inputs[index] = self.builder.stored(value)
        if not isinstance(value, HeldTensor):
            raise self.refuse("takes windows, or nothing but constants; the machine has no such operation.")
        return value

    def constant(self, index: int, what: str) -> np.ndarray:
        """Return constant input `index` as integers, int64."""
        value = self.inputs[index]
        if not isinstance(value, np.ndarray):
            raise self.refuse(f"has no constant {what}; fold it into an initialiser.")
        if not np.array_equal(value, np.rint(value)):
            raise self.refuse(f"has a {what} that is no integer; streamline the graph until only integers are left.")
        return value.astype(np.int64)
